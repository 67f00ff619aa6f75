# ESP32-S3. MicroPython's ports/esp32 reads this file; MICROPY_BOARD_DIR names this folder.
set(IDF_TARGET esp32s3)
set(FIRSTBOOT_PARTITIONS partitions-8MiB.csv)
include(${MICROPY_BOARD_DIR}/../esp32/common.cmake)

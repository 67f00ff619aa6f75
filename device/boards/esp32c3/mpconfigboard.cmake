# ESP32-C3. MicroPython's ports/esp32 reads this file; MICROPY_BOARD_DIR names this folder.
set(IDF_TARGET esp32c3)
set(FIRSTBOOT_PARTITIONS partitions-4MiB.csv)
include(${MICROPY_BOARD_DIR}/../esp32/common.cmake)

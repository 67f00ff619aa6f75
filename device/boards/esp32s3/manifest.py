# The frozen code of an ESP32-S3: the modules of the board, and what every ESP32 board has.
include("$(BOARD_DIR)/../esp32/manifest.py")
package(
    "device",
    ("boards/esp32s3/__init__.py", "boards/esp32s3/board.py"),
    base_path="$(BOARD_DIR)/../../..",
    opt=3,
)

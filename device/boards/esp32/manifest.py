# What every ESP32 board freezes: the ports of the chip, and what every bought chip has.
PORTS = (
    "access_point",
    "appfiles",
    "ble",
    "blocks",
    "esp32",
    "esp32_fuses",
    "esp32_wifi",
    "fuses",
    "littlefs",
    "rtc",
    "slots",
    "socket_group",
    "sockets",
    "wlan",
)
include("$(BOARD_DIR)/../chips/manifest.py", folder="esp32", ports=PORTS, guide="esp32.md")

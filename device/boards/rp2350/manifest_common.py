# What every RP2350 board freezes: the ports of the chip, and what every bought chip has.
PORTS = (
    "appfiles",
    "blocks",
    "fuses",
    "littlefs",
    "rp2",
    "rp2_otp",
    "rtc",
    "slots",
    "socket_group",
    "sockets",
)
include("$(BOARD_DIR)/../chips/manifest.py", folder="rp2350", ports=PORTS, guide="rp2350.md")

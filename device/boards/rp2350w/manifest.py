# The frozen code of a Pico 2 W: the modules of the board and of the radio, and what every RP2350 board has.
include("$(BOARD_DIR)/../rp2350/manifest_common.py")
package(
    "device",
    (
        "boards/rp2350w/__init__.py",
        "boards/rp2350w/board.py",
        "ports/access_point.py",
        "ports/rp2_wifi.py",
        "ports/wlan.py",
    ),
    base_path="$(BOARD_DIR)/../../..",
    opt=3,
)

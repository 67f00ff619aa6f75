# The frozen code of an RP2350 without a radio: the modules of the board, and what every RP2350 board has.
include("$(BOARD_DIR)/manifest_common.py")
package("device", ("boards/rp2350/board.py",), base_path="$(BOARD_DIR)/../../..", opt=3)

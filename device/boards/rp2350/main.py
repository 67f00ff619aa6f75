"""Start the unit on an RP2350. MicroPython runs this frozen file after _boot.py. NOT YET RUN ON HARDWARE."""

import machine

from device.boards.rp2350 import board, unit

if __name__ == "__main__":
    try:
        unit.run(board)
    finally:
        machine.reset()  # never the prompt

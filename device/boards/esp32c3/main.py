"""Start the unit on an ESP32-C3. MicroPython runs this frozen file after _boot.py. NOT YET RUN ON HARDWARE."""

import machine

from device.boards.esp32 import unit
from device.boards.esp32c3 import board

if __name__ == "__main__":
    try:
        unit.run(board)
    finally:
        machine.reset()  # never the prompt

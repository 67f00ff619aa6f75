"""Start the unit on a Pico 2 W. MicroPython runs this frozen file after _boot.py. NOT YET RUN ON HARDWARE."""

import machine

from device.boards.rp2350 import unit
from device.boards.rp2350w import board
from device.ports import rp2_wifi

if __name__ == "__main__":
    try:
        unit.run(board, radio=rp2_wifi.Rp2Wifi())
    finally:
        machine.reset()  # never the prompt

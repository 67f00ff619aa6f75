"""Main of the `radio` firmware: the release's agent, with a MODEL of a radio and a line for Improv Wi-Fi.

Both are on serial lines of the emulator (device/ports/mps2_radio.py). No radio is emulated.
"""

from device.boards import mps2
from device.boards.mps2_an385 import board
from device.ports import mps2_radio

mps2.run(board, mps2_radio.Mps2Wifi().switch_on(), mps2_radio.improv_stream())

"""Start the agent on the emulated board MPS2 AN385. If this module returns, the unit restarts."""

from device.boards import mps2
from device.boards.mps2_an385 import board

if __name__ == "__main__":  # run by the port's main.c, importable by a test
    mps2.run(board)

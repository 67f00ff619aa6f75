"""Facts about the emulated board MPS2 AN505 (Cortex-M33) that code cannot find out at run time."""

from device.compat import const

NAME = "mps2_an505"

# As boards/mps2_an385/board.py. The sizes of memory are in memory_map.py.
CPU_HZ = const(20_000_000)  # SYSCLK of the AN505 image (Arm DAI0505B, Clocks)
CYCLES_PER_ITERATION = const(10_500)
SIGN_IN_S = const(5)
PBKDF2_ITERATIONS = const(CPU_HZ * SIGN_IN_S // CYCLES_PER_ITERATION)

HAS_BUTTON = const(1)  # a flag in the power-on page

# The emulator forwards a port of its host to the unit; the unit's own address is 10.0.2.15.
HOST_NAMES = ("127.0.0.1", "localhost")

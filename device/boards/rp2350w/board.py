"""Facts about a Pico 2 W that code cannot find out. Change pins and names to those of your board."""

from device.compat import const

NAME = "rp2350w"

# PBKDF2 iterations for the owner's password: as many as the chip is expected to compute in SIGN_IN_S seconds. The
# cycles are those of boards/mps2_an385/board.py, NOT MEASURED on this chip. Measure a sign-in, then change them.
CPU_HZ = const(150_000_000)
CYCLES_PER_ITERATION = const(10_500)
SIGN_IN_S = const(5)
PBKDF2_ITERATIONS = const(CPU_HZ * SIGN_IN_S // CYCLES_PER_ITERATION)

BUTTON_PIN = const(22)  # to ground; BOOTSEL cannot be read while code runs from the flash
LIGHT_PIN = const(21)  # the light of a Pico 2 W hangs on its radio; this one needs a light of yours
FACTORY_TX_PIN = const(8)
FACTORY_RX_PIN = const(9)
HAS_BLUETOOTH = const(0)  # the radio has it; this project's build is without BTstack
HAS_BUTTON = const(1)
HOST_NAMES = ()

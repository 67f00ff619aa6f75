"""Facts about the emulated board that no code can find out at run time."""

from device.compat import const

NAME = "mps2_an385"

# PBKDF2-HMAC-SHA-256 iterations for the owner's password: what the real board does while its owner waits SIGN_IN_S.
# 6972 instructions per iteration (measured: two SHA-256 compressions in C, QEMU -icount), at 1.5 cycles each. The count
# is stored beside the digest, so a later release may raise it: a sign-in then takes the password over.
# docs/threat-model.md says what that costs somebody who guesses with a copy of the flash.
CPU_HZ = const(25_000_000)
CYCLES_PER_ITERATION = const(10_500)
SIGN_IN_S = const(5)
PBKDF2_ITERATIONS = const(CPU_HZ * SIGN_IN_S // CYCLES_PER_ITERATION)

HAS_BUTTON = const(1)  # a word of the power-on page stands for it
HAS_CLOCK = const(0)  # no clock runs through a power cut: time comes from freshness records
HAS_SECURE_ELEMENT = const(0)

# The emulator forwards a port of its host to the unit, whose own address is 10.0.2.15.
HOST_NAMES = ("127.0.0.1", "localhost")

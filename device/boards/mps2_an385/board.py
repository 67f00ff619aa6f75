"""Facts about the emulated board that no code can find out at run time."""

from device.compat import const

NAME = "mps2_an385"

# PBKDF2-HMAC-SHA-256 iterations for the owner's password, chosen at set-up and stored beside the digest, so a
# later release may raise them. One iteration is two SHA-256 compressions.
PBKDF2_ITERATIONS = const(100_000)

HAS_BUTTON = const(1)  # a word of the power-on page stands for it
HAS_CLOCK = const(0)  # no clock runs through a power cut: time comes from freshness records
HAS_SECURE_ELEMENT = const(0)

# The emulator forwards a port of its host to the unit, whose own address is 10.0.2.15.
HOST_NAMES = ("127.0.0.1", "localhost")

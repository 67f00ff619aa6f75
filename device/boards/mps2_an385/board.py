"""Facts about the emulated board that code cannot find out at run time."""

from device.compat import const

NAME = "mps2_an385"

# PBKDF2-HMAC-SHA-256 iterations for the owner's password: as many as the real board computes in SIGN_IN_S seconds.
# One iteration takes 6972 instructions (measured: two SHA-256 compressions in C, QEMU -icount), at 1.5 cycles each. The
# count is stored with the digest, so a later release can raise it: the next sign-in then computes a new digest.
# docs/threat-model.md states the cost of guessing for an attacker with a copy of the flash.
CPU_HZ = const(25_000_000)
CYCLES_PER_ITERATION = const(10_500)
SIGN_IN_S = const(5)
PBKDF2_ITERATIONS = const(CPU_HZ * SIGN_IN_S // CYCLES_PER_ITERATION)

# Memory (docs/performance.md, Memory). Mbed TLS has an arena of its own beside the Python heap (port/tls.c).
HEAP_BYTES = const(160 * 1024)
TLS_ARENA_BYTES = const(64 * 1024)
# Frequent collections, from the first import on, keep what stays together: later there are large free blocks. One takes
# 1.9 M instructions: with 4 KiB here, a chunk over MQTT took 27 M in place of 9 M, and the demo's peak was the same.
COLLECT_EVERY_BYTES = const(16 * 1024)

HAS_BUTTON = const(1)  # a flag in the power-on page

# The emulator forwards a port of its host to the unit; the unit's own address is 10.0.2.15.
HOST_NAMES = ("127.0.0.1", "localhost")

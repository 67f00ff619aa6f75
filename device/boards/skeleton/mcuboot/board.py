"""Facts about the board BOARD_NAME that code cannot find out. Change them to those of your board."""

NAME = "BOARD_NAME"

# PBKDF2 iterations for the owner's password: as many as your chip computes in 5 s. The cycles were measured on the
# emulated board with the C module _fbcrypto (docs/performance.md). Measure a sign-in on your board, then change them.
CPU_HZ = 25_000_000
CYCLES_PER_ITERATION = 10_500
PBKDF2_ITERATIONS = CPU_HZ * 5 // CYCLES_PER_ITERATION

HOST_NAMES = ()  # names beside the unit's own for which it serves its pages

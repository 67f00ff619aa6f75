"""Facts about the board BOARD_NAME (ESP32 family) that code cannot find out. Pins that are None are open steps."""

NAME = "BOARD_NAME"

# PBKDF2 iterations for the owner's password: as many as your chip computes in 5 s. The cycles were measured on the
# emulated board with the C module _fbcrypto (docs/performance.md). Measure a sign-in on your board, then change them.
CPU_HZ = 160_000_000
CYCLES_PER_ITERATION = 10_500
PBKDF2_ITERATIONS = CPU_HZ * 5 // CYCLES_PER_ITERATION

HOST_NAMES = ()  # names beside the unit's own for which it serves its pages

BUTTON_PIN = None  # a number: a button to ground
LIGHT_PIN = None  # a number: the light that the owner sees
FACTORY_TX_PIN = None  # numbers: the serial line that only the factory reaches
FACTORY_RX_PIN = None

# Certificates are checked against this time until the unit knows a trusted one (device/ports/rtc.py). Raise it at each
# release: 2026-11-01.
BUILD_TIME_S = 1_793_491_200

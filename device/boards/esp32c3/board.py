"""Facts about an ESP32-C3 board that code cannot find out. Change pins and names to those of your board."""

from device.compat import const

NAME = "esp32c3"

# PBKDF2 iterations for the owner's password: as many as the chip is expected to compute in SIGN_IN_S seconds. The
# cycles are those of boards/mps2_an385/board.py, NOT MEASURED on this chip. Measure a sign-in, then change them.
CPU_HZ = const(160_000_000)
CYCLES_PER_ITERATION = const(10_500)
SIGN_IN_S = const(5)
PBKDF2_ITERATIONS = const(CPU_HZ * SIGN_IN_S // CYCLES_PER_ITERATION)

BUTTON_PIN = const(9)  # BOOT of Espressif's boards, low when pressed
LIGHT_PIN = const(3)
FACTORY_TX_PIN = const(4)
FACTORY_RX_PIN = const(5)
HAS_BLUETOOTH = const(1)  # MicroPython's build for this chip has NimBLE
HAS_BUTTON = const(1)
HOST_NAMES = ()

# Certificates are checked against this time until the unit knows a trusted one (device/ports/rtc.py). Raise it at each
# release: 2026-11-01.
BUILD_TIME_S = const(1_793_491_200)

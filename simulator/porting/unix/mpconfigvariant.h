// The language features of the emulated board, in MicroPython's unix port.
#define MICROPY_CONFIG_ROM_LEVEL (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)
#include "variants/mpconfigvariant_common.h"

// Ticks wrap at 2**30, as on the chips. Otherwise 64-bit integers give them a period that no board has.
#define MICROPY_PY_TIME_TICKS_PERIOD (1 << 30)

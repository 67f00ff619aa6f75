// The qemu port's configuration with the modules that device/ needs and the port leaves out.
#include "mpconfigport.h"

#undef MICROPY_PY_TIME
#define MICROPY_PY_TIME (1)
#define MICROPY_PY_TIME_GMTIME_LOCALTIME_MKTIME (0)
#define MICROPY_PY_TIME_TIME_TIME_NS (0)
#undef MICROPY_PY_SELECT
#define MICROPY_PY_SELECT (1)
#undef MICROPY_PY_ASYNCIO
#define MICROPY_PY_ASYNCIO (1)
#define MICROPY_PY_OS (0)
#define MICROPY_TRACKED_ALLOC (1) // Mbed TLS allocates from the Python heap

// The build links Mbed TLS for _fbcrypto and hashlib. Without TLS there is no module `tls`.
#undef MICROPY_PY_SSL
#define MICROPY_PY_SSL (0)

// lwIP's compiler and platform header.
#ifndef FIRSTBOOT_ARCH_CC_H
#define FIRSTBOOT_ARCH_CC_H

#include <stdint.h>

// There is no output for diagnostics. A broken invariant inside lwIP ends the run.
void board_network_assert(const char *what) __attribute__((noreturn));
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) board_network_assert(x)

#endif

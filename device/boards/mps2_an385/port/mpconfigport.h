// The parts of MicroPython in the firmware of the emulated board.
#ifndef FIRSTBOOT_MPCONFIGPORT_H
#define FIRSTBOOT_MPCONFIGPORT_H

#include <stdint.h>
#include <alloca.h>

#include "board_facts.h"

#define MICROPY_CONFIG_ROM_LEVEL (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)

// No native code: nothing on the device turns data into machine instructions.
#define MICROPY_EMIT_THUMB (0)
#define MICROPY_EMIT_INLINE_THUMB (0)
#define MICROPY_PERSISTENT_CODE_LOAD (1)

#define MICROPY_ENABLE_GC (1)
#define MICROPY_MALLOC_USES_ALLOCATED_SIZE (1)
#define MICROPY_ENABLE_EMERGENCY_EXCEPTION_BUF (1)
#define MICROPY_EMERGENCY_EXCEPTION_BUF_SIZE (256) // there is a traceback even if the heap is full
#define MICROPY_LONGINT_IMPL (MICROPY_LONGINT_IMPL_MPZ)
#define MICROPY_FLOAT_IMPL (MICROPY_FLOAT_IMPL_FLOAT)
#define MICROPY_WARNINGS (1)
#define MICROPY_ERROR_REPORTING (MICROPY_ERROR_REPORTING_NORMAL)

// Imports find frozen modules, then what main appends to the path. No file extends or replaces a built-in module: the
// scan for modules registers the extensible ones as plain ones, which are found before any path.
#define MICROPY_PY_SYS_PATH_ARGV_DEFAULTS (0)
#if defined(NO_QSTR)
#define MP_REGISTER_EXTENSIBLE_MODULE MP_REGISTER_MODULE
#endif

#define MICROPY_VFS (1)
#define MICROPY_READER_VFS (1)
#define MICROPY_VFS_ROM (0)
#define MICROPY_VFS_WRITABLE (1)

#define MICROPY_PY_ASYNCIO (1)
#define MICROPY_PY_SELECT (1)
#define MICROPY_PY_HASHLIB_SHA256 (1)
#define MICROPY_PY_HASHLIB_SHA1 (0)
#define MICROPY_PY_HASHLIB_MD5 (0)
#define MICROPY_PY_SSL_FINALISER (1)
#define MICROPY_PY_OS_URANDOM (1)
#define MICROPY_PY_OS_INCLUDEFILE "port_os.h"

// Time: ticks only. No clock is trusted before a freshness record; policy uses its Clock port.
#define MICROPY_PY_TIME (1)
#define MICROPY_PY_TIME_GMTIME_LOCALTIME_MKTIME (0)
#define MICROPY_PY_TIME_TIME_TIME_NS (0)

// The module `random` is not fit for secrets; os.urandom is.
#define MICROPY_PY_RANDOM (0)
#define MICROPY_PY_MACHINE (0)
#define MICROPY_PY_NETWORK (0)
#define MICROPY_PY_WEBSOCKET (0)
#define MICROPY_PY_WEBREPL (0)
#define MICROPY_PY_CMATH (0)
#define MICROPY_PY_CRYPTOLIB (0)
#define MICROPY_PY_DEFLATE (0)
#define MICROPY_PY_FRAMEBUF (0)
#define MICROPY_PY_ONEWIRE (0)
#define MICROPY_PY_PLATFORM (0)
#define MICROPY_PY_UCTYPES (0)
#define MICROPY_PY_BUILTINS_HELP (0)
#define MICROPY_PY_BUILTINS_INPUT (0)
#define MICROPY_PY_SYS_STDIO_BUFFER (0)
#define MICROPY_PY_SYS_SETTRACE (FIRSTBOOT_TRACE) // 1 in the variant that counts executed lines
#if MICROPY_PY_SYS_SETTRACE
#define MICROPY_COMP_CONST (0)
#endif
#define MICROPY_PY_OS_DUPTERM (0)
#define MICROPY_PY_SYS_PLATFORM BOARD_NAME
#define MICROPY_HW_BOARD_NAME BOARD_TITLE
#define MICROPY_HW_MCU_NAME BOARD_CPU

// While Python waits: run the network, then sleep until an interrupt (SysTick comes every millisecond).
void board_poll(void);
void board_wait_for_interrupt(void);
#define MICROPY_INTERNAL_EVENT_HOOK board_poll()
#define MICROPY_INTERNAL_WFE(timeout_ms) board_wait_for_interrupt()

#define MP_SSIZE_MAX (0x7fffffff)
#define UINT_FMT "%lu"
#define INT_FMT "%ld"
typedef int32_t mp_int_t; // must be pointer size
typedef uint32_t mp_uint_t;
typedef long mp_off_t;

#define MP_NEED_LOG2 (1)
#define MP_STATE_PORT MP_STATE_VM

#endif

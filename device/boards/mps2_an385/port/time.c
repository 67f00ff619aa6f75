// Milliseconds from SysTick, and the time against which Mbed TLS checks certificate dates.
#include <time.h>

#include "py/mphal.h"
#include "py/runtime.h"

#include "board.h"
#include "mbedtls/platform_time.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/x509.h"

#define SYST_CSR (*(volatile uint32_t *)0xE000E010)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018)
#define SYST_ENABLE (7u) // core clock, interrupt, counter
#define SYST_COUNTED (1u << 16)
#define CYCLES_PER_MS (CPU_HZ / 1000)

static volatile uint32_t ms_low, ms_high;

static struct {
    bool is_known;
    int64_t unix_s;
    uint64_t at_ms;
} trusted;

void time_init(void) {
    SYST_RVR = CYCLES_PER_MS - 1;
    SYST_CVR = 0;
    SYST_CSR = SYST_ENABLE;
}

void SysTick_Handler(void);
void SysTick_Handler(void) {
    if (++ms_low == 0) {
        ++ms_high;
    }
}

uint64_t time_ms(void) {
    uint32_t high, low;
    do {
        high = ms_high;
        low = ms_low;
    } while (high != ms_high);
    return (uint64_t)high << 32 | low;
}

uint32_t time_ms_address(void) {
    return (uint32_t)&ms_low;
}

void time_pause_polled(uint32_t milliseconds) {
    SYST_RVR = CYCLES_PER_MS - 1;
    SYST_CSR = 5u; // no interrupt: the handler may run above SysTick's priority
    for (uint32_t passed = 0; passed < milliseconds;) {
        // Wait less than a millisecond between two reads: an emulator's clock stops if it is read without a break.
        for (uint32_t turn = 0; turn < 4000; turn++) {
            __asm volatile ("nop");
        }
        passed += (SYST_CSR & SYST_COUNTED) != 0;
    }
}

void time_set_trusted(bool is_known, int64_t unix_s) {
    trusted.is_known = is_known;
    trusted.unix_s = unix_s;
    trusted.at_ms = time_ms();
}

static int64_t trusted_now(void) {
    return trusted.is_known ? trusted.unix_s + (int64_t)((time_ms() - trusted.at_ms) / 1000) : 0;
}

// Mbed TLS reads the time with these functions (tls_config.h).
mbedtls_time_t board_tls_time(mbedtls_time_t *out) {
    mbedtls_time_t now = (mbedtls_time_t)trusted_now();
    if (out != NULL) {
        *out = now;
    }
    return now;
}

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *unix_s, struct tm *out) {
    time_t seconds = (time_t)*unix_s;
    return gmtime_r(&seconds, out);
}

mbedtls_ms_time_t mbedtls_ms_time(void) {
    return (mbedtls_ms_time_t)time_ms();
}

// Only dates may be unchecked, and only until a freshness record has given a time (docs/design.md, Update). The same
// call always checks chain, name, key usage and signatures. Linked in with --wrap.
int __real_mbedtls_x509_time_cmp(const mbedtls_x509_time *t1, const mbedtls_x509_time *t2);
int __wrap_mbedtls_x509_time_cmp(const mbedtls_x509_time *t1, const mbedtls_x509_time *t2);

int __wrap_mbedtls_x509_time_cmp(const mbedtls_x509_time *t1, const mbedtls_x509_time *t2) {
    return trusted.is_known ? __real_mbedtls_x509_time_cmp(t1, t2) : 0;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return ms_low;
}

static uint64_t cycles(void) {
    uint64_t before, after;
    uint32_t left;
    do {
        before = time_ms();
        left = SYST_CVR;
        after = time_ms();
    } while (before != after);
    return before * CYCLES_PER_MS + (CYCLES_PER_MS - 1 - left);
}

mp_uint_t mp_hal_ticks_us(void) {
    return (mp_uint_t)(cycles() / (CPU_HZ / 1000000));
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return (mp_uint_t)cycles();
}

uint64_t mp_hal_time_ns(void) {
    return (uint64_t)trusted_now() * 1000000000ull;
}

void mp_hal_delay_ms(mp_uint_t milliseconds) {
    uint64_t end = time_ms() + milliseconds;
    while (time_ms() < end) {
        mp_event_wait_ms(1);
    }
}

void mp_hal_delay_us(mp_uint_t microseconds) {
    uint64_t end = cycles() + (uint64_t)microseconds * (CPU_HZ / 1000000);
    while (cycles() < end) {
    }
}

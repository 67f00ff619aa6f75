// What the qemu port lacks on the machine `virt`: ticks from its timer, and a generator for tests.
#include <string.h>

#include "entropy.h"
#include "mbedtls/sha256.h"
#include "py/mphal.h"

#define MTIME_LOW (*(volatile uint32_t *)0x0200BFF8u) // 10 MHz

mp_uint_t mp_hal_ticks_us(void) {
    return MTIME_LOW / 10;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return MTIME_LOW / 10000;
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return MTIME_LOW;
}

void mp_hal_delay_us(mp_uint_t microseconds) {
    const uint32_t start = MTIME_LOW;
    while (MTIME_LOW - start < microseconds * 10) {
    }
}

void mp_hal_delay_ms(mp_uint_t milliseconds) {
    while (milliseconds-- > 0) {
        mp_hal_delay_us(1000);
    }
}

bool entropy_is_ready(void) {
    return true;
}

// The machine has no generator. Hashes of a counter are enough for tests, and for nothing else.
int entropy_random(void *unused, unsigned char *data, size_t length) {
    static uint32_t counter;
    (void)unused;
    while (length > 0) {
        uint8_t digest[32];
        counter++;
        int error = mbedtls_sha256((const uint8_t *)&counter, sizeof(counter), digest, 0);
        if (error) {
            return error;
        }
        const size_t part = length < sizeof(digest) ? length : sizeof(digest);
        memcpy(data, digest, part);
        data += part;
        length -= part;
    }
    return 0;
}

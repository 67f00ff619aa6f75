// entropy.h of _fbcrypto on Linux: the kernel's generator.
#include "entropy.h"

#include <sys/random.h>

#include "mbedtls/entropy.h"

bool entropy_is_ready(void) {
    return true;
}

int entropy_random(void *unused, unsigned char *data, size_t length) {
    (void)unused;
    while (length > 0) {
        ssize_t got = getrandom(data, length, 0);
        if (got <= 0) {
            return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
        }
        data += got;
        length -= (size_t)got;
    }
    return 0;
}

// The random generator of the board, as _fbcrypto uses it. Each port implements these two functions.
#ifndef FIRSTBOOT_ENTROPY_H
#define FIRSTBOOT_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>

// False until the source has passed its health tests. There are no keys and no signatures before.
bool entropy_is_ready(void);

// Fills `data` with random bytes for keys. Returns 0, or an error of Mbed TLS; then `data` must not be used.
// It has the form of Mbed TLS's f_rng, so `unused` is its context.
int entropy_random(void *unused, unsigned char *data, size_t length);

#endif

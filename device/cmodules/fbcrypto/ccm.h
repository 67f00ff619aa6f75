// AES-CCM with a 128-bit key and a 13-byte nonce (RFC 3610, L = 2), directly on the block cipher of Mbed TLS.
#ifndef FIRSTBOOT_CCM_H
#define FIRSTBOOT_CCM_H

#include <stddef.h>
#include <stdint.h>

#define CCM_KEY_BYTES (16)
#define CCM_NONCE_BYTES (13)
#define CCM_MAX_TAG (16)
#define CCM_MAX_MESSAGE (0xFFFF) // L = 2: two bytes of length
#define CCM_MAX_AAD (0xFEFF)

#define CCM_WRONG_TAG (1)

typedef struct {
    const uint8_t *key, *nonce;
    const uint8_t *aad;
    size_t aad_bytes; // at most CCM_MAX_AAD
    size_t tag_bytes; // even, 4 to 16
} ccm_t;

// Writes ciphertext and tag to `out`, which may be `text`. `length` is at most CCM_MAX_MESSAGE. Returns 0, or an error
// of Mbed TLS.
int ccm_seal(const ccm_t *ccm, const uint8_t *text, size_t length, uint8_t *out);

// Writes the plaintext of `length` bytes and a tag to `out`, which may be `sealed`. Returns 0, CCM_WRONG_TAG or an error
// of Mbed TLS; then `out` is zero.
int ccm_open(const ccm_t *ccm, const uint8_t *sealed, size_t length, uint8_t *out);

#endif

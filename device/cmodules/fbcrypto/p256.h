// ECDSA verification on P-256 (FIPS 186-5 6.4.2) for the boot ROM, _fbcrypto and TLS. Only public numbers come in here,
// and its time depends on them: nothing that is secret may.
#ifndef FIRSTBOOT_P256_H
#define FIRSTBOOT_P256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P256_POINT_BYTES (64)      // x and y, without the byte 04 of an uncompressed point
#define P256_DIGEST_BYTES (32)
#define P256_SIGNATURE_BYTES (64)  // r and s, 32 bytes each

typedef enum {
    P256_VALID = 0,
    P256_WRONG,   // the signature does not verify, or r or s is not in 1..n-1
    P256_BAD_KEY, // a coordinate is not below p, or the point is not on the curve
} p256_result_t;

p256_result_t p256_verify(const uint8_t point[P256_POINT_BYTES], const uint8_t digest[P256_DIGEST_BYTES],
    const uint8_t signature[P256_SIGNATURE_BYTES]);

// Reads a signature in DER (RFC 3279 2.2.3) into r and s. False for every form but the one that DER allows: lengths in
// one byte, numbers without needless zeros, none negative or above 32 bytes, nothing after them.
bool p256_signature_from_der(const uint8_t *der, size_t bytes, uint8_t signature[P256_SIGNATURE_BYTES]);

#endif

// Signatures of certificates and handshakes in TLS: Mbed TLS's verification replaced by p256.c, if its configuration has
// MBEDTLS_ECDSA_VERIFY_ALT. Signing, key generation and ECDH stay with Mbed TLS, whose time does not depend on secrets.
#include "mbedtls/build_info.h"

#if defined(MBEDTLS_ECDSA_VERIFY_ALT)

#include <string.h>

#include "mbedtls/ecdsa.h"
#include "p256.h"

#define UNCOMPRESSED_BYTES (1 + P256_POINT_BYTES)

int mbedtls_ecdsa_verify(mbedtls_ecp_group *group, const unsigned char *hash, size_t hash_bytes,
    const mbedtls_ecp_point *key, const mbedtls_mpi *r, const mbedtls_mpi *s) {
    uint8_t point[UNCOMPRESSED_BYTES], digest[P256_DIGEST_BYTES] = {0}, signature[P256_SIGNATURE_BYTES];
    size_t written;
    if (group->id != MBEDTLS_ECP_DP_SECP256R1) {
        return MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE;
    }
    int error = mbedtls_ecp_point_write_binary(group, key, MBEDTLS_ECP_PF_UNCOMPRESSED, &written, point,
        sizeof(point));
    if (error != 0 || written != sizeof(point)) {
        return MBEDTLS_ERR_ECP_BAD_INPUT_DATA; // infinity has one byte
    }
    // A number that does not fit into 32 bytes is above n.
    if (mbedtls_mpi_cmp_int(r, 0) <= 0 || mbedtls_mpi_cmp_int(s, 0) <= 0
        || mbedtls_mpi_write_binary(r, signature, 32) != 0 || mbedtls_mpi_write_binary(s, signature + 32, 32) != 0) {
        return MBEDTLS_ERR_ECP_VERIFY_FAILED;
    }
    // SEC 1 4.1.4: the leftmost 32 bytes of a long hash; a short one is the same number.
    const size_t bytes = hash_bytes < sizeof(digest) ? hash_bytes : sizeof(digest);
    memcpy(digest + sizeof(digest) - bytes, hash, bytes);
    switch (p256_verify(point + 1, digest, signature)) {
        case P256_VALID:
            return 0;
        case P256_BAD_KEY:
            return MBEDTLS_ERR_ECP_INVALID_KEY;
        default:
            return MBEDTLS_ERR_ECP_VERIFY_FAILED;
    }
}

#endif

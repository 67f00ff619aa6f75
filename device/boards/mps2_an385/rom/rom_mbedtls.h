// Mbed TLS for the ROM: SHA-256. P-256 is cmodules/fbcrypto/p256.c.
#define MBEDTLS_SHA256_C

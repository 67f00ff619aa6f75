// Mbed TLS for the ROM: SHA-256 and ECDSA P-256 verification, which need no random numbers.
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_SHA256_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C // ECDSA_C requires it; the linker drops it

// A verification needs few and short numbers. Measured on this board, instructions per verification and ROM size:
// window 2 without the table of multiples of G 36.2 M, 19.5 kB; window 4 with it 22.4 M, 21.6 kB.
#define MBEDTLS_MPI_MAX_SIZE 64
#define MBEDTLS_MPI_WINDOW_SIZE 1
#define MBEDTLS_ECP_WINDOW_SIZE 4
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 1

#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO rom_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO rom_free

#include "heap.h"

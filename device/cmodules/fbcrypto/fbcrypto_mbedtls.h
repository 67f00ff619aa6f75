// A port's own Mbed TLS configuration, and what _fbcrypto needs beside it:
// build with MBEDTLS_CONFIG_FILE='"fbcrypto_mbedtls.h"'.
#ifndef FIRSTBOOT_FBCRYPTO_MBEDTLS_H
#define FIRSTBOOT_FBCRYPTO_MBEDTLS_H

#include "mbedtls/mbedtls_config_port.h"

#ifndef MBEDTLS_AES_C
#define MBEDTLS_AES_C
#endif
#ifndef MBEDTLS_ECDSA_DETERMINISTIC
#define MBEDTLS_ECDSA_DETERMINISTIC
#endif
#ifndef MBEDTLS_HMAC_DRBG_C
#define MBEDTLS_HMAC_DRBG_C
#endif

#endif

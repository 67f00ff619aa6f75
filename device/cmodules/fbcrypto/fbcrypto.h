// Parts of the module _fbcrypto that its files share.
#ifndef FIRSTBOOT_FBCRYPTO_H
#define FIRSTBOOT_FBCRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "mbedtls/build_info.h"
#include "py/runtime.h"

#if !defined(MBEDTLS_AES_C) || !defined(MBEDTLS_ECDSA_DETERMINISTIC) || !defined(MBEDTLS_SHA256_C) \
    || !defined(MBEDTLS_ECP_DP_SECP256R1_ENABLED)
#error "Mbed TLS needs AES_C, ECDSA_DETERMINISTIC, SHA256_C and ECP_DP_SECP256R1: see fbcrypto_mbedtls.h"
#endif

// Returns the bytes of a buffer of exactly `length` bytes. Raises ValueError(what) for another length.
const uint8_t *fbcrypto_bytes(mp_obj_t obj, size_t length, mp_rom_error_text_t what);

// Returns an int object.
mp_obj_t fbcrypto_unsigned(uint64_t number);

// Raises MemoryError or OSError for an error of Mbed TLS.
NORETURN void fbcrypto_raise(int error);

MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_aes_ccm_encrypt_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_aes_ccm_decrypt_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_cbor_decode_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_scan_obj);
MP_DECLARE_CONST_FUN_OBJ_3(fbcrypto_coap_options_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_oscore_protect_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_oscore_unprotect_obj);

#endif

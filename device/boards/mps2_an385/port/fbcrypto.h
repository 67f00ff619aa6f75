// Parts of the module _fbcrypto that its files share.
#ifndef FIRSTBOOT_FBCRYPTO_H
#define FIRSTBOOT_FBCRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "py/runtime.h"

// Returns the bytes of a buffer of exactly `length` bytes. Raises ValueError(what) for another length.
const uint8_t *fbcrypto_bytes(mp_obj_t obj, size_t length, mp_rom_error_text_t what);

// Raises MemoryError or OSError for an error of Mbed TLS.
NORETURN void fbcrypto_raise(int error);

MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_aes_ccm_encrypt_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_aes_ccm_decrypt_obj);

#endif

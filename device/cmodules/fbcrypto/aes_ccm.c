// _fbcrypto.aes_ccm_encrypt and aes_ccm_decrypt: AES-CCM with a 128-bit key and a 13-byte nonce (RFC 3610), as OSCORE
// uses it. Raises ValueError for wrong lengths and tags that do not verify.
#include "fbcrypto.h"

#include "mbedtls/ccm.h"

#define CCM_KEY_BYTES (16)
#define CCM_NONCE_BYTES (13)
#define CCM_MAX_MESSAGE (0xFFFF) // a nonce of 13 bytes leaves two for the length (RFC 3610)
#define CCM_MAX_AAD (0xFEFF)

// Arguments of both directions: key, nonce, additional data, text, tag length.
typedef struct {
    const uint8_t *key, *nonce;
    mp_buffer_info_t aad, text;
    size_t tag_bytes;
} ccm_arguments_t;

static void ccm_arguments(const mp_obj_t *args, bool has_tag, ccm_arguments_t *out) {
    out->key = fbcrypto_bytes(args[0], CCM_KEY_BYTES, MP_ERROR_TEXT("AES key length"));
    out->nonce = fbcrypto_bytes(args[1], CCM_NONCE_BYTES, MP_ERROR_TEXT("AES-CCM nonce length"));
    mp_get_buffer_raise(args[2], &out->aad, MP_BUFFER_READ);
    mp_get_buffer_raise(args[3], &out->text, MP_BUFFER_READ);
    mp_int_t tag_bytes = mp_obj_get_int(args[4]);
    if (tag_bytes != 8 && tag_bytes != 16) {
        mp_raise_ValueError(MP_ERROR_TEXT("AES-CCM tag length"));
    }
    out->tag_bytes = (size_t)tag_bytes;
    size_t overhead = has_tag ? out->tag_bytes : 0;
    if (out->aad.len > CCM_MAX_AAD || out->text.len < overhead || out->text.len - overhead > CCM_MAX_MESSAGE) {
        mp_raise_ValueError(MP_ERROR_TEXT("AES-CCM message length"));
    }
}

static mp_obj_t fbcrypto_aes_ccm_encrypt(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    ccm_arguments_t a;
    ccm_arguments(args, false, &a);
    vstr_t out;
    vstr_init_len(&out, a.text.len + a.tag_bytes);
    mbedtls_ccm_context ccm;
    mbedtls_ccm_init(&ccm);
    int error = mbedtls_ccm_setkey(&ccm, MBEDTLS_CIPHER_ID_AES, a.key, CCM_KEY_BYTES * 8);
    error = error ? error
        : mbedtls_ccm_encrypt_and_tag(&ccm, a.text.len, a.nonce, CCM_NONCE_BYTES, a.aad.buf, a.aad.len, a.text.buf,
        (uint8_t *)out.buf, (uint8_t *)out.buf + a.text.len, a.tag_bytes);
    mbedtls_ccm_free(&ccm);
    if (error) {
        fbcrypto_raise(error);
    }
    return mp_obj_new_bytes_from_vstr(&out);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_aes_ccm_encrypt_obj, 5, 5, fbcrypto_aes_ccm_encrypt);

static mp_obj_t fbcrypto_aes_ccm_decrypt(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    ccm_arguments_t a;
    ccm_arguments(args, true, &a);
    size_t length = a.text.len - a.tag_bytes;
    const uint8_t *text = a.text.buf;
    vstr_t out;
    vstr_init_len(&out, length);
    mbedtls_ccm_context ccm;
    mbedtls_ccm_init(&ccm);
    int error = mbedtls_ccm_setkey(&ccm, MBEDTLS_CIPHER_ID_AES, a.key, CCM_KEY_BYTES * 8);
    error = error ? error
        : mbedtls_ccm_auth_decrypt(&ccm, length, a.nonce, CCM_NONCE_BYTES, a.aad.buf, a.aad.len, text,
        (uint8_t *)out.buf, text + length, a.tag_bytes);
    mbedtls_ccm_free(&ccm);
    if (error == MBEDTLS_ERR_CCM_AUTH_FAILED) {
        mp_raise_ValueError(MP_ERROR_TEXT("AES-CCM tag"));
    }
    if (error) {
        fbcrypto_raise(error);
    }
    return mp_obj_new_bytes_from_vstr(&out);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_aes_ccm_decrypt_obj, 5, 5, fbcrypto_aes_ccm_decrypt);

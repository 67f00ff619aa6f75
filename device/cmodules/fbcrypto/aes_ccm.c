// _fbcrypto.aes_ccm_encrypt and aes_ccm_decrypt: AES-CCM with a 128-bit key and a 13-byte nonce (ccm.c), as OSCORE uses
// it. Raises ValueError for wrong lengths and tags that do not verify.
#include "ccm.h"
#include "fbcrypto.h"

// Arguments of both directions: key, nonce, additional data, text, tag length.
static void ccm_arguments(const mp_obj_t *args, bool has_tag, ccm_t *ccm, mp_buffer_info_t *text) {
    ccm->key = fbcrypto_bytes(args[0], CCM_KEY_BYTES, MP_ERROR_TEXT("AES key length"));
    ccm->nonce = fbcrypto_bytes(args[1], CCM_NONCE_BYTES, MP_ERROR_TEXT("AES-CCM nonce length"));
    mp_buffer_info_t aad;
    mp_get_buffer_raise(args[2], &aad, MP_BUFFER_READ);
    mp_get_buffer_raise(args[3], text, MP_BUFFER_READ);
    mp_int_t tag_bytes = mp_obj_get_int(args[4]);
    if (tag_bytes != 8 && tag_bytes != 16) {
        mp_raise_ValueError(MP_ERROR_TEXT("AES-CCM tag length"));
    }
    ccm->aad = aad.buf;
    ccm->aad_bytes = aad.len;
    ccm->tag_bytes = (size_t)tag_bytes;
    size_t overhead = has_tag ? ccm->tag_bytes : 0;
    if (aad.len > CCM_MAX_AAD || text->len < overhead || text->len - overhead > CCM_MAX_MESSAGE) {
        mp_raise_ValueError(MP_ERROR_TEXT("AES-CCM message length"));
    }
}

static mp_obj_t fbcrypto_aes_ccm_encrypt(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    ccm_t ccm;
    mp_buffer_info_t text;
    ccm_arguments(args, false, &ccm, &text);
    vstr_t out;
    vstr_init_len(&out, text.len + ccm.tag_bytes);
    int error = ccm_seal(&ccm, text.buf, text.len, (uint8_t *)out.buf);
    if (error) {
        fbcrypto_raise(error);
    }
    return mp_obj_new_bytes_from_vstr(&out);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_aes_ccm_encrypt_obj, 5, 5, fbcrypto_aes_ccm_encrypt);

static mp_obj_t fbcrypto_aes_ccm_decrypt(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    ccm_t ccm;
    mp_buffer_info_t text;
    ccm_arguments(args, true, &ccm, &text);
    size_t length = text.len - ccm.tag_bytes;
    vstr_t out;
    vstr_init_len(&out, length);
    int error = ccm_open(&ccm, text.buf, length, (uint8_t *)out.buf);
    if (error == CCM_WRONG_TAG) {
        mp_raise_ValueError(MP_ERROR_TEXT("AES-CCM tag"));
    }
    if (error) {
        fbcrypto_raise(error);
    }
    return mp_obj_new_bytes_from_vstr(&out);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_aes_ccm_decrypt_obj, 5, 5, fbcrypto_aes_ccm_decrypt);

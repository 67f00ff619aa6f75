// The module _fbcrypto: signatures, hashes and AES-CCM for Python, on Mbed TLS, CBOR and OSCORE (docs/reference/c-modules.md).
// Raises ValueError for wrong lengths, points off the curve and tags that do not verify, OSError without entropy.
#include <string.h>

#include "py/mperrno.h"
#include "py/runtime.h"

#include "entropy.h"
#include "fbcrypto.h"
#include "hss.h"
#include "mbedtls/ecdsa.h"
#include "mbedtls/md.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/sha256.h"
#include "p256.h"
#include "pbkdf2.h"

#define PRIVATE_BYTES (32)
#define PUBLIC_BYTES (1 + P256_POINT_BYTES)
#define UNCOMPRESSED (4) // first byte of a public key (SEC 1 2.3.3)
#define DIGEST_BYTES (32)
#define SIGNATURE_BYTES P256_SIGNATURE_BYTES

const uint8_t *fbcrypto_bytes(mp_obj_t obj, size_t length, mp_rom_error_text_t what) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(obj, &info, MP_BUFFER_READ);
    if (info.len != length) {
        mp_raise_ValueError(what);
    }
    return info.buf;
}

static void need_entropy(void) {
    if (!entropy_is_ready()) {
        mp_raise_OSError(MP_ENODEV);
    }
}

NORETURN void fbcrypto_raise(int error) {
    if (error == MBEDTLS_ERR_MPI_ALLOC_FAILED || error == MBEDTLS_ERR_ECP_ALLOC_FAILED) {
        mp_raise_type(&mp_type_MemoryError);
    }
    mp_raise_OSError(MP_EIO);
}

// The numbers of one P-256 operation. They are freed (and zeroed) before anything is raised.
typedef struct {
    mbedtls_ecp_group group;
    mbedtls_ecp_point point;
    mbedtls_mpi d, r, s;
} p256_t;

static int p256_start(p256_t *work) {
    mbedtls_ecp_group_init(&work->group);
    mbedtls_ecp_point_init(&work->point);
    mbedtls_mpi_init(&work->d);
    mbedtls_mpi_init(&work->r);
    mbedtls_mpi_init(&work->s);
    return mbedtls_ecp_group_load(&work->group, MBEDTLS_ECP_DP_SECP256R1);
}

static void p256_end(p256_t *work) {
    mbedtls_ecp_group_free(&work->group);
    mbedtls_ecp_point_free(&work->point);
    mbedtls_mpi_free(&work->d);
    mbedtls_mpi_free(&work->r);
    mbedtls_mpi_free(&work->s);
}

static int write_point(p256_t *work, uint8_t out[PUBLIC_BYTES]) {
    size_t written;
    return mbedtls_ecp_point_write_binary(&work->group, &work->point, MBEDTLS_ECP_PF_UNCOMPRESSED, &written, out,
        PUBLIC_BYTES);
}

// Reads the private key into work->d; ERR_ECP_INVALID_KEY if it is not in 1..n-1.
static int read_private(p256_t *work, const uint8_t *private_key) {
    int error = mbedtls_mpi_read_binary(&work->d, private_key, PRIVATE_BYTES);
    return error ? error : mbedtls_ecp_check_privkey(&work->group, &work->d);
}

static mp_obj_t fbcrypto_p256_generate(void) {
    need_entropy();
    p256_t work;
    uint8_t private_key[PRIVATE_BYTES], public_key[PUBLIC_BYTES];
    int error = p256_start(&work);
    error = error ? error : mbedtls_ecp_gen_keypair(&work.group, &work.d, &work.point, entropy_random, NULL);
    error = error ? error : mbedtls_mpi_write_binary(&work.d, private_key, PRIVATE_BYTES);
    error = error ? error : write_point(&work, public_key);
    p256_end(&work);
    if (error) {
        fbcrypto_raise(error);
    }
    mp_obj_t pair[2] = {mp_obj_new_bytes(private_key, PRIVATE_BYTES), mp_obj_new_bytes(public_key, PUBLIC_BYTES)};
    mbedtls_platform_zeroize(private_key, sizeof(private_key));
    return mp_obj_new_tuple(2, pair);
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbcrypto_p256_generate_obj, fbcrypto_p256_generate);

static mp_obj_t fbcrypto_p256_public(mp_obj_t private_in) {
    const uint8_t *private_key = fbcrypto_bytes(private_in, PRIVATE_BYTES, MP_ERROR_TEXT("P-256 private key"));
    need_entropy(); // blinds the multiplication
    p256_t work;
    uint8_t public_key[PUBLIC_BYTES];
    int error = p256_start(&work);
    error = error ? error : read_private(&work, private_key);
    error = error ? error
        : mbedtls_ecp_mul(&work.group, &work.point, &work.d, &work.group.G, entropy_random, NULL);
    error = error ? error : write_point(&work, public_key);
    p256_end(&work);
    if (error == MBEDTLS_ERR_ECP_INVALID_KEY) {
        mp_raise_ValueError(MP_ERROR_TEXT("P-256 private key"));
    }
    if (error) {
        fbcrypto_raise(error);
    }
    return mp_obj_new_bytes(public_key, PUBLIC_BYTES);
}
static MP_DEFINE_CONST_FUN_OBJ_1(fbcrypto_p256_public_obj, fbcrypto_p256_public);

// RFC 6979: key and digest determine the nonce of the signature; the generator only blinds.
static mp_obj_t fbcrypto_p256_sign(mp_obj_t private_in, mp_obj_t digest_in) {
    const uint8_t *private_key = fbcrypto_bytes(private_in, PRIVATE_BYTES, MP_ERROR_TEXT("P-256 private key"));
    const uint8_t *digest = fbcrypto_bytes(digest_in, DIGEST_BYTES, MP_ERROR_TEXT("digest length"));
    need_entropy();
    p256_t work;
    uint8_t signature[SIGNATURE_BYTES];
    int error = p256_start(&work);
    error = error ? error : read_private(&work, private_key);
    error = error ? error
        : mbedtls_ecdsa_sign_det_ext(&work.group, &work.r, &work.s, &work.d, digest, DIGEST_BYTES,
        MBEDTLS_MD_SHA256, entropy_random, NULL);
    error = error ? error : mbedtls_mpi_write_binary(&work.r, signature, 32);
    error = error ? error : mbedtls_mpi_write_binary(&work.s, signature + 32, 32);
    p256_end(&work);
    if (error == MBEDTLS_ERR_ECP_INVALID_KEY) {
        mp_raise_ValueError(MP_ERROR_TEXT("P-256 private key"));
    }
    if (error) {
        fbcrypto_raise(error);
    }
    return mp_obj_new_bytes(signature, SIGNATURE_BYTES);
}
static MP_DEFINE_CONST_FUN_OBJ_2(fbcrypto_p256_sign_obj, fbcrypto_p256_sign);

static mp_obj_t fbcrypto_p256_verify(mp_obj_t public_in, mp_obj_t digest_in, mp_obj_t signature_in) {
    const uint8_t *public_key = fbcrypto_bytes(public_in, PUBLIC_BYTES, MP_ERROR_TEXT("P-256 public key"));
    const uint8_t *digest = fbcrypto_bytes(digest_in, DIGEST_BYTES, MP_ERROR_TEXT("digest length"));
    const uint8_t *signature = fbcrypto_bytes(signature_in, SIGNATURE_BYTES, MP_ERROR_TEXT("signature length"));
    p256_result_t result = public_key[0] == UNCOMPRESSED ? p256_verify(public_key + 1, digest, signature) : P256_BAD_KEY;
    if (result == P256_BAD_KEY) {
        mp_raise_ValueError(MP_ERROR_TEXT("P-256 public key"));
    }
    return mp_obj_new_bool(result == P256_VALID);
}
static MP_DEFINE_CONST_FUN_OBJ_3(fbcrypto_p256_verify_obj, fbcrypto_p256_verify);

static mp_obj_t fbcrypto_hmac_sha256(mp_obj_t key_in, mp_obj_t data_in) {
    mp_buffer_info_t key, data;
    mp_get_buffer_raise(key_in, &key, MP_BUFFER_READ);
    mp_get_buffer_raise(data_in, &data, MP_BUFFER_READ);
    uint8_t mac[DIGEST_BYTES];
    int error = mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), key.buf, key.len, data.buf, data.len,
        mac);
    if (error) {
        fbcrypto_raise(error);
    }
    return mp_obj_new_bytes(mac, sizeof(mac));
}
static MP_DEFINE_CONST_FUN_OBJ_2(fbcrypto_hmac_sha256_obj, fbcrypto_hmac_sha256);

// Writes the SHA-256 of `data` into `out`, which may be a part of `data`.
static mp_obj_t fbcrypto_sha256_into(mp_obj_t out_in, mp_obj_t data_in) {
    mp_buffer_info_t out, data;
    mp_get_buffer_raise(out_in, &out, MP_BUFFER_WRITE);
    mp_get_buffer_raise(data_in, &data, MP_BUFFER_READ);
    if (out.len != DIGEST_BYTES) {
        mp_raise_ValueError(MP_ERROR_TEXT("digest length"));
    }
    uint8_t digest[DIGEST_BYTES];
    int error = mbedtls_sha256(data.buf, data.len, digest, 0);
    if (error) {
        fbcrypto_raise(error);
    }
    memcpy(out.buf, digest, DIGEST_BYTES);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(fbcrypto_sha256_into_obj, fbcrypto_sha256_into);

static mp_obj_t fbcrypto_hss_verify(mp_obj_t public_in, mp_obj_t message_in, mp_obj_t signature_in) {
    mp_buffer_info_t key, message, signature;
    mp_get_buffer_raise(public_in, &key, MP_BUFFER_READ);
    mp_get_buffer_raise(message_in, &message, MP_BUFFER_READ);
    mp_get_buffer_raise(signature_in, &signature, MP_BUFFER_READ);
    uint32_t detail = 0;
    hss_result_t result = hss_verify(key.buf, key.len, message.buf, message.len, signature.buf, signature.len, &detail);
    switch (result) {
        case HSS_VALID:
        case HSS_WRONG:
            return mp_obj_new_bool(result == HSS_VALID);
        case HSS_LEVELS:
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("HSS with %u levels"), (unsigned)detail);
        case HSS_LMS_TYPE:
            if (detail == 8 || detail == 9) {
                mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("LMS_SHA256_M32_H%u"), (unsigned)(detail - 4) * 5);
            }
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("LMS type %u"), (unsigned)detail);
        case HSS_OTS_TYPE:
            if (detail == 1 || detail == 2) {
                mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("LMOTS_SHA256_N32_W%u"), (unsigned)detail);
            }
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("LM-OTS type %u"), (unsigned)detail);
        default:
            mp_raise_ValueError(MP_ERROR_TEXT("HSS public key"));
    }
}
static MP_DEFINE_CONST_FUN_OBJ_3(fbcrypto_hss_verify_obj, fbcrypto_hss_verify);

static const mp_rom_map_elem_t fbcrypto_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__fbcrypto) },
    { MP_ROM_QSTR(MP_QSTR_p256_generate), MP_ROM_PTR(&fbcrypto_p256_generate_obj) },
    { MP_ROM_QSTR(MP_QSTR_p256_public), MP_ROM_PTR(&fbcrypto_p256_public_obj) },
    { MP_ROM_QSTR(MP_QSTR_p256_sign), MP_ROM_PTR(&fbcrypto_p256_sign_obj) },
    { MP_ROM_QSTR(MP_QSTR_p256_verify), MP_ROM_PTR(&fbcrypto_p256_verify_obj) },
    { MP_ROM_QSTR(MP_QSTR_hmac_sha256), MP_ROM_PTR(&fbcrypto_hmac_sha256_obj) },
    { MP_ROM_QSTR(MP_QSTR_aes_ccm_encrypt), MP_ROM_PTR(&fbcrypto_aes_ccm_encrypt_obj) },
    { MP_ROM_QSTR(MP_QSTR_aes_ccm_decrypt), MP_ROM_PTR(&fbcrypto_aes_ccm_decrypt_obj) },
    { MP_ROM_QSTR(MP_QSTR_hss_verify), MP_ROM_PTR(&fbcrypto_hss_verify_obj) },
    { MP_ROM_QSTR(MP_QSTR_sha256_into), MP_ROM_PTR(&fbcrypto_sha256_into_obj) },
    { MP_ROM_QSTR(MP_QSTR_cbor_decode), MP_ROM_PTR(&fbcrypto_cbor_decode_obj) },
    { MP_ROM_QSTR(MP_QSTR_scan), MP_ROM_PTR(&fbcrypto_scan_obj) },
    { MP_ROM_QSTR(MP_QSTR_coap_options), MP_ROM_PTR(&fbcrypto_coap_options_obj) },
    { MP_ROM_QSTR(MP_QSTR_oscore_protect), MP_ROM_PTR(&fbcrypto_oscore_protect_obj) },
    { MP_ROM_QSTR(MP_QSTR_oscore_unprotect), MP_ROM_PTR(&fbcrypto_oscore_unprotect_obj) },
    { MP_ROM_QSTR(MP_QSTR_Pbkdf2), MP_ROM_PTR(&fbcrypto_pbkdf2_type) },
};
static MP_DEFINE_CONST_DICT(fbcrypto_globals, fbcrypto_globals_table);

const mp_obj_module_t fbcrypto_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&fbcrypto_globals,
};
MP_REGISTER_MODULE(MP_QSTR__fbcrypto, fbcrypto_module);

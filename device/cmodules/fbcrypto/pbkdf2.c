// _fbcrypto.Pbkdf2(password, salt): PBKDF2-HMAC-SHA-256 (RFC 8018 5.2), one output block, in steps, so that the
// caller can feed the watchdog and serve the network between them.
#include "pbkdf2.h"

#include <string.h>

#include "py/runtime.h"

#include "mbedtls/platform_util.h"
#include "mbedtls/sha256.h"

#define BLOCK_BYTES (64)
#define HASH_BYTES (32)

typedef struct {
    mp_obj_base_t base;
    mbedtls_sha256_context inner, outer; // SHA-256 after the key block of HMAC: saves one compression in each
    uint8_t first[HASH_BYTES];           // HMAC over salt and block number, the message of the first iteration
    uint8_t last[HASH_BYTES];            // U of the last iteration
    uint8_t sum[HASH_BYTES];
    bool is_started;
} pbkdf2_t;

static void check(int error) {
    if (error) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("SHA-256"));
    }
}

static void hmac(const pbkdf2_t *self, const uint8_t *data, size_t length, const uint8_t *tail, size_t tail_length,
    uint8_t out[HASH_BYTES]) {
    mbedtls_sha256_context work;
    uint8_t inner[HASH_BYTES];
    mbedtls_sha256_init(&work);
    mbedtls_sha256_clone(&work, &self->inner);
    check(mbedtls_sha256_update(&work, data, length));
    check(mbedtls_sha256_update(&work, tail, tail_length));
    check(mbedtls_sha256_finish(&work, inner));
    mbedtls_sha256_clone(&work, &self->outer);
    check(mbedtls_sha256_update(&work, inner, sizeof(inner)));
    check(mbedtls_sha256_finish(&work, out));
    mbedtls_sha256_free(&work);
}

static mp_obj_t pbkdf2_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 2, 2, false);
    mp_buffer_info_t password, salt;
    mp_get_buffer_raise(args[0], &password, MP_BUFFER_READ);
    mp_get_buffer_raise(args[1], &salt, MP_BUFFER_READ);
    pbkdf2_t *self = mp_obj_malloc(pbkdf2_t, type);
    uint8_t key[BLOCK_BYTES] = {0};
    if (password.len > BLOCK_BYTES) {
        check(mbedtls_sha256(password.buf, password.len, key, 0));
    } else {
        memcpy(key, password.buf, password.len);
    }
    uint8_t pad[BLOCK_BYTES];
    for (int side = 0; side < 2; side++) {
        mbedtls_sha256_context *context = side ? &self->outer : &self->inner;
        for (size_t index = 0; index < BLOCK_BYTES; index++) {
            pad[index] = key[index] ^ (side ? 0x5C : 0x36);
        }
        mbedtls_sha256_init(context);
        check(mbedtls_sha256_starts(context, 0));
        check(mbedtls_sha256_update(context, pad, sizeof(pad)));
    }
    mbedtls_platform_zeroize(key, sizeof(key));
    mbedtls_platform_zeroize(pad, sizeof(pad));
    static const uint8_t block_number[4] = {0, 0, 0, 1};
    hmac(self, salt.buf, salt.len, block_number, sizeof(block_number), self->first);
    self->is_started = false;
    return MP_OBJ_FROM_PTR(self);
}

// Half of an HMAC over 32 bytes. `block` has the value and its padding, written once, so each half is one compression.
// The result replaces the value.
static void compress(const mbedtls_sha256_context *keyed, mbedtls_sha256_context *work, uint8_t block[BLOCK_BYTES]) {
    mbedtls_sha256_clone(work, keyed);
    check(mbedtls_internal_sha256_process(work, block));
    for (size_t index = 0; index < HASH_BYTES; index++) {
        block[index] = (uint8_t)(work->MBEDTLS_PRIVATE(state)[index / 4] >> (24 - 8 * (index % 4)));
    }
}

static mp_obj_t pbkdf2_step(mp_obj_t self_in, mp_obj_t iterations_in) {
    pbkdf2_t *self = MP_OBJ_TO_PTR(self_in);
    mp_int_t iterations = mp_obj_get_int(iterations_in);
    if (iterations < 1) {
        mp_raise_ValueError(MP_ERROR_TEXT("PBKDF2 iterations"));
    }
    if (!self->is_started) {
        memcpy(self->last, self->first, HASH_BYTES);
        memcpy(self->sum, self->first, HASH_BYTES);
        self->is_started = true;
        iterations--;
    }
    mbedtls_sha256_context work;
    mbedtls_sha256_init(&work);
    uint8_t block[BLOCK_BYTES] = {0};
    memcpy(block, self->last, HASH_BYTES);
    block[HASH_BYTES] = 0x80;
    block[62] = ((BLOCK_BYTES + HASH_BYTES) * 8) >> 8; // FIPS 180-4 5.1.1: length in bits
    block[63] = ((BLOCK_BYTES + HASH_BYTES) * 8) & 0xFF;
    for (; iterations > 0; iterations--) {
        compress(&self->inner, &work, block);
        compress(&self->outer, &work, block);
        for (size_t index = 0; index < HASH_BYTES; index++) {
            self->sum[index] ^= block[index];
        }
    }
    memcpy(self->last, block, HASH_BYTES);
    mbedtls_platform_zeroize(block, sizeof(block));
    mbedtls_sha256_free(&work);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(pbkdf2_step_obj, pbkdf2_step);

static mp_obj_t pbkdf2_digest(mp_obj_t self_in) {
    pbkdf2_t *self = MP_OBJ_TO_PTR(self_in);
    if (!self->is_started) {
        mp_raise_ValueError(MP_ERROR_TEXT("PBKDF2 iterations"));
    }
    return mp_obj_new_bytes(self->sum, HASH_BYTES);
}
static MP_DEFINE_CONST_FUN_OBJ_1(pbkdf2_digest_obj, pbkdf2_digest);

static const mp_rom_map_elem_t pbkdf2_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_step), MP_ROM_PTR(&pbkdf2_step_obj) },
    { MP_ROM_QSTR(MP_QSTR_digest), MP_ROM_PTR(&pbkdf2_digest_obj) },
};
static MP_DEFINE_CONST_DICT(pbkdf2_locals, pbkdf2_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(
    fbcrypto_pbkdf2_type,
    MP_QSTR_Pbkdf2,
    MP_TYPE_FLAG_NONE,
    make_new, pbkdf2_make_new,
    locals_dict, &pbkdf2_locals
    );

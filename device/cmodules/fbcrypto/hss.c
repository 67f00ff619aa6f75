// HSS/LMS verification on Mbed TLS's SHA-256. The rules are those of device/crypto/lms.py, its reference:
// 1. The parameters come from the public key; a signature that states others is wrong (RFC 8554 6.3).
// 2. The key of the second level is read only after the signature of the first level verified.
// 3. Every length is fixed by the parameters; a signature that is longer or shorter is wrong.
#include "hss.h"

#include <stdbool.h>
#include <string.h>

#include "mbedtls/sha256.h"

#define N (32)
#define ID_BYTES (16)
#define LMS_PUBLIC_BYTES (56) // type, LM-OTS type, I, T[1]

// Domain separation, RFC 8554 4.2 to 5.3.
#define D_PBLK (0x8080)
#define D_MESG (0x8181)
#define D_LEAF (0x8282)
#define D_INTR (0x8383)

typedef struct {
    unsigned height;
    unsigned width;
    unsigned chains;
    unsigned shift;
} parameters_t;

static uint32_t get_u32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_u32(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static hss_result_t read_parameters(const uint8_t *key, parameters_t *out, uint32_t *detail) {
    uint32_t lms_type = get_u32(key);
    uint32_t ots_type = get_u32(key + 4);
    if (lms_type < 5 || lms_type > 7) {
        *detail = lms_type;
        return HSS_LMS_TYPE;
    }
    out->height = (lms_type - 4) * 5;
    if (ots_type == 3) {
        out->width = 4;
        out->chains = 67;
        out->shift = 4;
    } else if (ots_type == 4) {
        out->width = 8;
        out->chains = 34;
        out->shift = 0;
    } else {
        *detail = ots_type;
        return HSS_OTS_TYPE;
    }
    return HSS_VALID;
}

static size_t signature_length(const parameters_t *p) {
    return 4 + 4 + N + p->chains * N + 4 + p->height * N; // q, LM-OTS type, C, y[p], LMS type, path[h]
}

// RFC 8554 3.1.3
static unsigned digit(const uint8_t *data, unsigned index, unsigned width) {
    return width == 8 ? data[index] : index & 1 ? data[index / 2] & 15u : data[index / 2] >> 4;
}

// RFC 8554 algorithm 2 (checksum), appended to the digest of N bytes.
static void append_checksum(uint8_t *digest, const parameters_t *p) {
    unsigned last = (1u << p->width) - 1;
    uint32_t sum = 0;
    for (unsigned index = 0; index < N * 8 / p->width; index++) {
        sum += last - digit(digest, index, p->width);
    }
    sum <<= p->shift;
    digest[N] = (uint8_t)(sum >> 8);
    digest[N + 1] = (uint8_t)sum;
}

// One step of a chain hashes I || q || i || j || value: 55 bytes, which with padding is exactly one block. The
// padding is written once; each step only runs the compression function.
static bool run_chain(mbedtls_sha256_context *scratch, uint8_t block[64], unsigned from, unsigned last) {
    for (unsigned step = from; step < last; step++) {
        block[22] = (uint8_t)step;
        if (mbedtls_sha256_starts(scratch, 0) != 0 || mbedtls_internal_sha256_process(scratch, block) != 0) {
            return false;
        }
        for (unsigned word = 0; word < N / 4; word++) {
            put_u32(block + 23 + 4 * word, scratch->MBEDTLS_PRIVATE(state)[word]);
        }
    }
    return true;
}

static bool hash_start(mbedtls_sha256_context *hash, const uint8_t *identifier, uint32_t number, unsigned kind) {
    uint8_t head[6];
    put_u32(head, number);
    head[4] = (uint8_t)(kind >> 8);
    head[5] = (uint8_t)kind;
    return mbedtls_sha256_starts(hash, 0) == 0 && mbedtls_sha256_update(hash, identifier, ID_BYTES) == 0
           && mbedtls_sha256_update(hash, head, sizeof(head)) == 0;
}

// RFC 8554 algorithm 4b: compute the LM-OTS public key from the signature.
static bool ots_candidate(const uint8_t *key, const parameters_t *p, const uint8_t *message, size_t message_bytes,
    const uint8_t *signature, uint8_t out[N]) {
    const uint8_t *identifier = key + 8;
    const uint8_t *chain_value = signature + 8 + N;
    uint8_t digest[N + 2];
    uint8_t block[64] = {0};
    mbedtls_sha256_context hash, scratch;
    mbedtls_sha256_init(&hash);
    mbedtls_sha256_init(&scratch);
    bool is_done = hash_start(&hash, identifier, get_u32(signature), D_MESG)
        && mbedtls_sha256_update(&hash, signature + 8, N) == 0
        && mbedtls_sha256_update(&hash, message, message_bytes) == 0 && mbedtls_sha256_finish(&hash, digest) == 0;
    append_checksum(digest, p);
    memcpy(block, identifier, ID_BYTES);
    memcpy(block + ID_BYTES, signature, 4);
    block[55] = 0x80;
    block[62] = (55 * 8) >> 8;
    block[63] = (55 * 8) & 0xFF;
    is_done = is_done && hash_start(&hash, identifier, get_u32(signature), D_PBLK);
    for (unsigned chain = 0; is_done && chain < p->chains; chain++, chain_value += N) {
        block[21] = (uint8_t)chain; // u16str(i): at most 66
        memcpy(block + 23, chain_value, N);
        is_done = run_chain(&scratch, block, digit(digest, chain, p->width), (1u << p->width) - 1)
            && mbedtls_sha256_update(&hash, block + 23, N) == 0;
    }
    is_done = is_done && mbedtls_sha256_finish(&hash, out) == 0;
    mbedtls_sha256_free(&hash);
    mbedtls_sha256_free(&scratch);
    return is_done;
}

// RFC 8554 algorithm 6a: compute the root from a leaf and its path.
static bool tree_root(const uint8_t *key, const parameters_t *p, uint32_t leaf, const uint8_t *path, uint8_t value[N]) {
    const uint8_t *identifier = key + 8;
    uint32_t node = (1u << p->height) + leaf;
    mbedtls_sha256_context hash;
    mbedtls_sha256_init(&hash);
    bool is_done = hash_start(&hash, identifier, node, D_LEAF) && mbedtls_sha256_update(&hash, value, N) == 0
        && mbedtls_sha256_finish(&hash, value) == 0;
    for (unsigned level = 0; is_done && level < p->height; level++, path += N) {
        bool is_right = node & 1;
        node >>= 1;
        is_done = hash_start(&hash, identifier, node, D_INTR)
            && mbedtls_sha256_update(&hash, is_right ? path : value, N) == 0
            && mbedtls_sha256_update(&hash, is_right ? value : path, N) == 0
            && mbedtls_sha256_finish(&hash, value) == 0;
    }
    mbedtls_sha256_free(&hash);
    return is_done;
}

// RFC 8554 5.4.2. The caller has checked that the signature has the length that `p` gives.
static bool lms_verify(const uint8_t *key, const parameters_t *p, const uint8_t *message, size_t message_bytes,
    const uint8_t *signature) {
    uint32_t leaf = get_u32(signature);
    const uint8_t *lms_type = signature + 8 + N + p->chains * N;
    if (memcmp(signature + 4, key + 4, 4) != 0 || memcmp(lms_type, key, 4) != 0 || leaf >> p->height != 0) {
        return false;
    }
    uint8_t value[N];
    return ots_candidate(key, p, message, message_bytes, signature, value)
           && tree_root(key, p, leaf, lms_type + 4, value) && memcmp(value, key + 24, N) == 0;
}

hss_result_t hss_verify(const uint8_t *public_key, size_t public_bytes, const uint8_t *message,
    size_t message_bytes, const uint8_t *signature, size_t signature_bytes, uint32_t *detail) {
    if (public_bytes != HSS_PUBLIC_BYTES || get_u32(public_key) == 0) {
        return HSS_BAD_KEY;
    }
    uint32_t levels = get_u32(public_key);
    if (levels > 2) {
        *detail = levels;
        return HSS_LEVELS;
    }
    if (signature_bytes < 4 || get_u32(signature) != levels - 1) {
        return HSS_WRONG;
    }
    const uint8_t *key = public_key + 4;
    signature += 4;
    signature_bytes -= 4;
    parameters_t p;
    hss_result_t result = read_parameters(key, &p, detail);
    if (result != HSS_VALID) {
        return result;
    }
    if (levels == 2) {
        size_t upper = signature_length(&p);
        if (signature_bytes < upper + LMS_PUBLIC_BYTES) {
            return HSS_WRONG;
        }
        if (!lms_verify(key, &p, signature + upper, LMS_PUBLIC_BYTES, signature)) {
            return HSS_WRONG;
        }
        key = signature + upper;
        signature += upper + LMS_PUBLIC_BYTES;
        signature_bytes -= upper + LMS_PUBLIC_BYTES;
        result = read_parameters(key, &p, detail);
        if (result != HSS_VALID) {
            return result;
        }
    }
    if (signature_bytes != signature_length(&p)) {
        return HSS_WRONG;
    }
    return lms_verify(key, &p, message, message_bytes, signature) ? HSS_VALID : HSS_WRONG;
}

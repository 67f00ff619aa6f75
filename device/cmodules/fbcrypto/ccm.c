// AES-CCM (RFC 3610). The reference is device/crypto/aes_ccm.py.
#include "ccm.h"

#include <string.h>

#include "mbedtls/aes.h"
#include "mbedtls/platform_util.h"

#define BLOCK (16)

typedef struct {
    mbedtls_aes_context aes;
    uint8_t mac[BLOCK];     // state of the CBC-MAC
    uint8_t counter[BLOCK]; // A_i of 2.3
    uint8_t stream[BLOCK];
    int error; // the first one
} work_t;

static void encrypt(work_t *work, const uint8_t *in, uint8_t *out) {
    int error = mbedtls_aes_crypt_ecb(&work->aes, MBEDTLS_AES_ENCRYPT, in, out);
    work->error = work->error ? work->error : error;
}

// to ^= from, for one block. memcpy: a word may lie at any address.
static void mix(uint8_t *to, const uint8_t *one, const uint8_t *other) {
    for (unsigned at = 0; at < BLOCK; at += 4) {
        uint32_t first, second;
        memcpy(&first, one + at, 4);
        memcpy(&second, other + at, 4);
        first ^= second;
        memcpy(to + at, &first, 4);
    }
}

static void absorb(work_t *work, const uint8_t *data, size_t length) {
    while (length >= BLOCK) {
        mix(work->mac, work->mac, data);
        encrypt(work, work->mac, work->mac);
        data += BLOCK;
        length -= BLOCK;
    }
    if (length > 0) { // counts as padded with zeros
        for (size_t i = 0; i < length; i++) {
            work->mac[i] ^= data[i];
        }
        encrypt(work, work->mac, work->mac);
    }
}

// 2.2: B_0 and the additional data, whose length comes before it.
static void start(work_t *work, const ccm_t *ccm, size_t length) {
    mbedtls_aes_init(&work->aes);
    work->error = mbedtls_aes_setkey_enc(&work->aes, ccm->key, CCM_KEY_BYTES * 8);
    work->mac[0] = (uint8_t)((ccm->aad_bytes ? 0x40 : 0) | (ccm->tag_bytes - 2) / 2 << 3 | 1);
    memcpy(work->mac + 1, ccm->nonce, CCM_NONCE_BYTES);
    work->mac[14] = (uint8_t)(length >> 8);
    work->mac[15] = (uint8_t)length;
    encrypt(work, work->mac, work->mac);
    if (ccm->aad_bytes) {
        size_t first = ccm->aad_bytes < BLOCK - 2 ? ccm->aad_bytes : BLOCK - 2;
        work->mac[0] ^= (uint8_t)(ccm->aad_bytes >> 8);
        work->mac[1] ^= (uint8_t)ccm->aad_bytes;
        for (size_t i = 0; i < first; i++) {
            work->mac[2 + i] ^= ccm->aad[i];
        }
        encrypt(work, work->mac, work->mac);
        absorb(work, ccm->aad + first, ccm->aad_bytes - first);
    }
    work->counter[0] = 1;
    memcpy(work->counter + 1, ccm->nonce, CCM_NONCE_BYTES);
    work->counter[14] = work->counter[15] = 0;
}

// The next block of the key stream.
static void advance(work_t *work) {
    if (++work->counter[15] == 0) {
        work->counter[14]++;
    }
    encrypt(work, work->counter, work->stream);
}

// The tag of what was absorbed: its first bytes, masked with the key stream of counter 0.
static void finish(work_t *work, size_t tag_bytes, uint8_t *tag) {
    work->counter[14] = work->counter[15] = 0;
    encrypt(work, work->counter, work->stream);
    for (size_t i = 0; i < tag_bytes; i++) {
        tag[i] = work->mac[i] ^ work->stream[i];
    }
}

static int end(work_t *work) {
    int error = work->error;
    mbedtls_aes_free(&work->aes);
    mbedtls_platform_zeroize(work, sizeof(*work));
    return error;
}

int ccm_seal(const ccm_t *ccm, const uint8_t *text, size_t length, uint8_t *out) {
    work_t work;
    start(&work, ccm, length);
    uint8_t *tag = out + length;
    for (; length >= BLOCK; text += BLOCK, out += BLOCK, length -= BLOCK) {
        absorb(&work, text, BLOCK);
        advance(&work);
        mix(out, text, work.stream);
    }
    if (length > 0) {
        absorb(&work, text, length);
        advance(&work);
        for (size_t i = 0; i < length; i++) {
            out[i] = text[i] ^ work.stream[i];
        }
    }
    finish(&work, ccm->tag_bytes, tag);
    return end(&work);
}

int ccm_open(const ccm_t *ccm, const uint8_t *sealed, size_t length, uint8_t *out) {
    work_t work;
    start(&work, ccm, length);
    uint8_t found[CCM_MAX_TAG], wanted[CCM_MAX_TAG];
    memcpy(wanted, sealed + length, ccm->tag_bytes);
    uint8_t *whole = out;
    size_t left = length;
    for (; left >= BLOCK; sealed += BLOCK, out += BLOCK, left -= BLOCK) {
        advance(&work);
        mix(out, sealed, work.stream);
        absorb(&work, out, BLOCK);
    }
    if (left > 0) {
        advance(&work);
        for (size_t i = 0; i < left; i++) {
            out[i] = sealed[i] ^ work.stream[i];
        }
        absorb(&work, out, left);
    }
    finish(&work, ccm->tag_bytes, found);
    uint8_t difference = 0; // in constant time
    for (size_t i = 0; i < ccm->tag_bytes; i++) {
        difference |= found[i] ^ wanted[i];
    }
    int error = end(&work);
    error = error ? error : difference ? CCM_WRONG_TAG : 0;
    if (error) {
        mbedtls_platform_zeroize(whole, length);
    }
    return error;
}

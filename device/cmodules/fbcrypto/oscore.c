// CoAP options, nonce and additional data of OSCORE.
#include "oscore.h"

#include <string.h>

void oscore_nonce(const uint8_t iv[CCM_NONCE_BYTES], bytes_t id, bytes_t piv, uint8_t out[CCM_NONCE_BYTES]) {
    memcpy(out, iv, CCM_NONCE_BYTES);
    out[0] ^= (uint8_t)id.length;
    uint8_t *to = out + 1 + OSCORE_ID_BYTES - id.length;
    for (size_t i = 0; i < id.length; i++) {
        to[i] ^= id.at[i];
    }
    to = out + CCM_NONCE_BYTES - piv.length;
    for (size_t i = 0; i < piv.length; i++) {
        to[i] ^= piv.at[i];
    }
}

static uint8_t *put_bytes(uint8_t *out, bytes_t value) {
    *out++ = (uint8_t)(0x40 | value.length);
    if (value.length > 0) {
        memcpy(out, value.at, value.length);
    }
    return out + value.length;
}

size_t oscore_aad(bytes_t kid, bytes_t piv, uint8_t out[OSCORE_MAX_AAD]) {
    static const uint8_t head[] = "\x83\x68" "Encrypt0\x40"; // then the external AAD as a byte string
    static const uint8_t algorithm[] = {0x85, 0x01, 0x81, 10}; // version 1, AES-CCM-16-64-128
    memcpy(out, head, sizeof(head) - 1);
    uint8_t *external = out + sizeof(head) - 1;
    uint8_t *at = external + 1;
    memcpy(at, algorithm, sizeof(algorithm));
    at = put_bytes(at + sizeof(algorithm), kid);
    at = put_bytes(at, piv);
    *at++ = 0x40; // no options of class I
    *external = (uint8_t)(0x40 | (at - external - 1)); // at most 19
    return (size_t)(at - out);
}

static unsigned nibble_of(uint32_t value, uint8_t *more, size_t *length) {
    if (value < 13) {
        return value;
    }
    if (value < 269) {
        more[(*length)++] = (uint8_t)(value - 13);
        return 13;
    }
    more[(*length)++] = (uint8_t)((value - 269) >> 8);
    more[(*length)++] = (uint8_t)(value - 269);
    return 14;
}

size_t coap_option_head(uint32_t delta, size_t length, uint8_t *out) {
    uint8_t head[5];
    size_t used = 1;
    unsigned first = nibble_of(delta, head, &used) << 4;
    head[0] = (uint8_t)(first | nibble_of((uint32_t)length, head, &used));
    if (out != NULL) {
        memcpy(out, head, used);
    }
    return used;
}

// Returns the value of a nibble, with its bytes at `at`; UINT32_MAX if it is reserved or cut.
static uint32_t extended(coap_options_t *options, unsigned nibble) {
    if (nibble < 13) {
        return nibble;
    }
    size_t width = nibble - 12;
    if (nibble == 15 || width > (size_t)(options->end - options->at)) {
        return UINT32_MAX;
    }
    uint32_t value = *options->at++;
    if (width == 1) {
        return value + 13;
    }
    return (value << 8 | *options->at++) + 269;
}

coap_next_t coap_next(coap_options_t *options) {
    options->value = (bytes_t) {options->at, 0};
    if (options->at == options->end) {
        return COAP_PAYLOAD;
    }
    uint8_t first = *options->at++;
    if (first == 0xFF) { // 3: a marker without payload is a format error
        options->value = (bytes_t) {options->at, (size_t)(options->end - options->at)};
        return options->value.length > 0 ? COAP_PAYLOAD : COAP_BROKEN;
    }
    uint32_t delta = extended(options, first >> 4);
    uint32_t length = delta == UINT32_MAX ? UINT32_MAX : extended(options, first & 15);
    if (length == UINT32_MAX) {
        return COAP_BROKEN;
    }
    options->number += delta; // at most 0xFFFF before and 0x1010C more
    if (options->number > 0xFFFF || length > (size_t)(options->end - options->at)) {
        return COAP_BROKEN;
    }
    options->value = (bytes_t) {options->at, length};
    options->at += length;
    return COAP_OPTION;
}

// Parts of CoAP (RFC 7252) and OSCORE (RFC 8613) without an object. The references are device/net/coap.py and oscore.py.
#ifndef FIRSTBOOT_OSCORE_H
#define FIRSTBOOT_OSCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ccm.h"

#define OSCORE_ID_BYTES (7) // RFC 8613 3.3: length of the nonce - 6
#define OSCORE_PIV_BYTES (5)
#define OSCORE_TAG_BYTES (8)
#define OSCORE_MAX_AAD (12 + 5 + OSCORE_ID_BYTES + 1 + OSCORE_PIV_BYTES + 1)

typedef struct {
    const uint8_t *at;
    size_t length;
} bytes_t;

// RFC 8613 5.2. `id` has at most OSCORE_ID_BYTES, `piv` at most OSCORE_PIV_BYTES.
void oscore_nonce(const uint8_t iv[CCM_NONCE_BYTES], bytes_t id, bytes_t piv, uint8_t out[CCM_NONCE_BYTES]);

// RFC 8613 5.4: writes the Encrypt0 structure and returns its length. The same bounds.
size_t oscore_aad(bytes_t kid, bytes_t piv, uint8_t out[OSCORE_MAX_AAD]);

// RFC 7252 3.1: writes the head of an option `delta` (at most 0xFFFF) after the one before, and returns its length, at
// most 5. `out` may be NULL. `length` is at most 0xFFFF.
size_t coap_option_head(uint32_t delta, size_t length, uint8_t *out);

typedef enum {
    COAP_OPTION,  // `number` and `value` are those of the next option
    COAP_PAYLOAD, // `value` is the payload, empty without one
    COAP_BROKEN,
} coap_next_t;

typedef struct {
    const uint8_t *at, *end;
    uint32_t number;
    bytes_t value;
} coap_options_t;

// Reads the next option between `at` and `end`, or the payload after the last.
coap_next_t coap_next(coap_options_t *options);

#endif

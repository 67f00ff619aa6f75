// HSS/LMS verification (RFC 8554): one or two levels, SHA-256 with 32 bytes, H5/H10/H15, W4/W8.
#ifndef FIRSTBOOT_HSS_H
#define FIRSTBOOT_HSS_H

#include <stddef.h>
#include <stdint.h>

#define HSS_PUBLIC_BYTES (60)

typedef enum {
    HSS_VALID = 0,
    HSS_WRONG,              // the signature does not verify, or its lengths or types differ from those of the key
    HSS_BAD_KEY,            // not 60 bytes, or no level
    HSS_LEVELS,             // more than two levels; detail = levels
    HSS_LMS_TYPE,           // detail = LMS type
    HSS_OTS_TYPE,           // detail = LM-OTS type
} hss_result_t;

// `detail` receives the unsupported number. Reads no byte outside the three buffers.
hss_result_t hss_verify(const uint8_t *public_key, size_t public_bytes, const uint8_t *message,
    size_t message_bytes, const uint8_t *signature, size_t signature_bytes, uint32_t *detail);

#endif

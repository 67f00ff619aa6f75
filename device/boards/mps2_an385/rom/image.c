// The checks of one image, in this order:
// 1. header: magic, header size, RAM_LOAD and no other flag, load address, sizes inside slot and code RAM;
// 2. TLV areas: exact lengths, only the types listed here, each exactly once;
// 3. SHA-256 over header, body and protected TLVs equals the digest TLV;
// 4. the public key is one that this ROM knows, and is not revoked;
// 5. ECDSA P-256 over that digest, and HSS/LMS over the same digest if the ROM's entry for the key needs it;
// 6. the security counter is not below the unit's; the vectors point to places for code and stack.
// Every length comes from NVM and is untrusted until 5, so it is bounded before it is added to anything.
#include "image.h"

#include <stddef.h>
#include <string.h>

#include "hss.h"
#include "mbedtls/sha256.h"
#include "memory_map.h"
#include "nvm_layout.h"
#include "p256.h"

#define HEADER_FIXED_BYTES 32u
#define TLV_INFO_BYTES 4u

// SubjectPublicKeyInfo of an uncompressed P-256 point: this prefix, then x and y (RFC 5480 2).
static const uint8_t SPKI_PREFIX[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06,
    0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
};
_Static_assert(sizeof(SPKI_PREFIX) + P256_POINT_BYTES == IMAGE_PUBLIC_KEY_BYTES, "public key");

typedef struct {
    uint32_t body_bytes;
    uint32_t protected_bytes;
    uint32_t hashed_bytes; // header, body, protected TLVs
} extent_t;

typedef struct {
    const uint8_t *bytes;
    uint32_t length;
} span_t;

typedef struct {
    span_t counter;
    span_t digest;
    span_t public_key;
    span_t signature;
    span_t hss;
} tlvs_t;

const char *image_status_text(image_status_t status) {
    static const char *const TEXTS[] = {
        [IMAGE_OK] = "ok",
        [IMAGE_EMPTY] = "empty",
        [IMAGE_HEADER] = "header",
        [IMAGE_LOAD_ADDRESS_OTHER] = "load address",
        [IMAGE_SIZE] = "size",
        [IMAGE_TLV] = "tlv",
        [IMAGE_DIGEST] = "digest",
        [IMAGE_KEY_UNKNOWN] = "unknown key",
        [IMAGE_KEY_REVOKED] = "revoked key",
        [IMAGE_SIGNATURE] = "signature",
        [IMAGE_HSS_MISSING] = "no hss signature",
        [IMAGE_HSS_SIGNATURE] = "hss signature",
        [IMAGE_COUNTER] = "security counter",
        [IMAGE_VECTORS] = "vectors",
        [IMAGE_MARK_FAILED] = "tried mark not written",
    };
    return (unsigned)status < sizeof(TEXTS) / sizeof(TEXTS[0]) ? TEXTS[status] : "?";
}

static uint16_t get_u16(const uint8_t *at) {
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get_u32(const uint8_t *at) {
    return (uint32_t)get_u16(at) | (uint32_t)get_u16(at + 2) << 16;
}

static image_status_t check_header(const uint8_t *header, uint32_t room, extent_t *extent) {
    uint32_t magic = get_u32(header);
    if (magic == 0xFFFFFFFFu) {
        return IMAGE_EMPTY;
    }
    if (magic != IMAGE_MAGIC || get_u16(header + 8) != IMAGE_HEADER_BYTES ||
        get_u32(header + 16) != FLAG_RAM_LOAD) {
        return IMAGE_HEADER;
    }
    if (get_u32(header + 4) != IMAGE_LOAD_ADDRESS) {
        return IMAGE_LOAD_ADDRESS_OTHER;
    }
    extent->protected_bytes = get_u16(header + 10);
    extent->body_bytes = get_u32(header + 12);
    // A protected area is at most 65535 bytes long, so this sum cannot wrap.
    uint32_t around = IMAGE_HEADER_BYTES + extent->protected_bytes + TLV_INFO_BYTES;
    if (around > room || extent->body_bytes < IMAGE_BODY_MIN_BYTES || extent->body_bytes > room - around) {
        return IMAGE_SIZE;
    }
    extent->hashed_bytes = IMAGE_HEADER_BYTES + extent->body_bytes + extent->protected_bytes;
    return IMAGE_OK;
}

static span_t *tlv_target(tlvs_t *tlvs, uint16_t type, bool is_protected) {
    if (is_protected) {
        return type == TLV_COUNTER ? &tlvs->counter : NULL;
    }
    switch (type) {
        case TLV_SHA256:
            return &tlvs->digest;
        case TLV_PUBKEY:
            return &tlvs->public_key;
        case TLV_ECDSA:
            return &tlvs->signature;
        case TLV_HSS:
            return &tlvs->hss;
        default:
            return NULL;
    }
}

// Read one area of exactly `length` bytes, info header included. Unknown and repeated types are refused.
static bool read_area(const uint8_t *area, uint32_t length, bool is_protected, tlvs_t *tlvs) {
    uint16_t magic = is_protected ? TLV_PROTECTED_MAGIC : TLV_INFO_MAGIC;
    if (length < TLV_INFO_BYTES || get_u16(area) != magic || get_u16(area + 2) != length) {
        return false;
    }
    uint32_t at = TLV_INFO_BYTES;
    while (at < length) {
        if (length - at < 4u) {
            return false;
        }
        uint32_t value_bytes = get_u16(area + at + 2);
        span_t *target = tlv_target(tlvs, get_u16(area + at), is_protected);
        at += 4u;
        if (value_bytes > length - at || target == NULL || target->bytes != NULL) {
            return false;
        }
        target->bytes = area + at;
        target->length = value_bytes;
        at += value_bytes;
    }
    return true;
}

static bool has_all(const tlvs_t *tlvs) {
    return tlvs->counter.bytes != NULL && tlvs->counter.length == 4u && tlvs->digest.bytes != NULL &&
           tlvs->digest.length == IMAGE_DIGEST_BYTES && tlvs->public_key.bytes != NULL &&
           tlvs->public_key.length == IMAGE_PUBLIC_KEY_BYTES && tlvs->signature.bytes != NULL &&
           tlvs->signature.length >= IMAGE_SIGNATURE_MIN_BYTES &&
           tlvs->signature.length <= IMAGE_SIGNATURE_MAX_BYTES && (tlvs->hss.bytes == NULL || tlvs->hss.length != 0u);
}

// Copy everything into code RAM and find the TLVs in that copy.
static image_status_t fetch(const image_source_t *source, uint32_t slot_offset, extent_t *extent,
                            tlvs_t *tlvs, uint32_t *total_bytes) {
    uint8_t *ram = source->code_ram;
    uint32_t room = NVM_SLOT_BYTES - NVM_SECTOR_BYTES; // the image does not use the trailer sector
    if (room > source->code_ram_bytes) {
        room = source->code_ram_bytes;
    }
    source->read(source->context, slot_offset, ram, HEADER_FIXED_BYTES);
    image_status_t status = check_header(ram, room, extent);
    if (status != IMAGE_OK) {
        return status;
    }
    uint32_t hashed = extent->hashed_bytes;
    source->read(source->context, slot_offset + HEADER_FIXED_BYTES, ram + HEADER_FIXED_BYTES,
                 hashed + TLV_INFO_BYTES - HEADER_FIXED_BYTES);
    uint32_t tail_bytes = get_u16(ram + hashed + 2);
    if (tail_bytes < TLV_INFO_BYTES || tail_bytes > IMAGE_TLV_AREA_BYTES) {
        return IMAGE_TLV;
    }
    if (tail_bytes > room - hashed) {
        return IMAGE_SIZE;
    }
    source->read(source->context, slot_offset + hashed + TLV_INFO_BYTES, ram + hashed + TLV_INFO_BYTES,
                 tail_bytes - TLV_INFO_BYTES);
    const uint8_t *protected_area = ram + IMAGE_HEADER_BYTES + extent->body_bytes;
    if (!read_area(protected_area, extent->protected_bytes, true, tlvs) ||
        !read_area(ram + hashed, tail_bytes, false, tlvs) || !has_all(tlvs)) {
        return IMAGE_TLV;
    }
    *total_bytes = hashed + tail_bytes;
    return IMAGE_OK;
}

static image_status_t check_key(const image_source_t *source, const unit_facts_t *facts, span_t key,
                                uint32_t *number) {
    uint8_t digest[IMAGE_DIGEST_BYTES];
    if (mbedtls_sha256(key.bytes, key.length, digest, 0) != 0) {
        return IMAGE_KEY_UNKNOWN;
    }
    for (uint32_t index = 0; index < source->key_count; index++) {
        if (memcmp(digest, source->keys[index].hash, sizeof(digest)) == 0) {
            *number = index;
            return (facts->revoked_keys >> index & 1u) != 0 ? IMAGE_KEY_REVOKED : IMAGE_OK;
        }
    }
    return IMAGE_KEY_UNKNOWN;
}

static bool is_signature_good(span_t key, const uint8_t *digest, span_t signature) {
    if (memcmp(key.bytes, SPKI_PREFIX, sizeof(SPKI_PREFIX)) != 0) {
        return false;
    }
    uint8_t numbers[P256_SIGNATURE_BYTES];
    return p256_signature_from_der(signature.bytes, signature.length, numbers) &&
           p256_verify(key.bytes + sizeof(SPKI_PREFIX), digest, numbers) == P256_VALID;
}

// The entry decides: an HSS signature that it does not need would be bytes that are never verified.
static image_status_t check_hss(const image_key_t *key, const uint8_t *digest, span_t signature) {
    if (key->needs_hss == 0u) {
        return signature.bytes == NULL ? IMAGE_OK : IMAGE_TLV;
    }
    if (signature.bytes == NULL) {
        return IMAGE_HSS_MISSING;
    }
    uint32_t detail;
    hss_result_t result = hss_verify(key->hss, sizeof(key->hss), digest, IMAGE_DIGEST_BYTES, signature.bytes,
                                     signature.length, &detail);
    return result == HSS_VALID ? IMAGE_OK : IMAGE_HSS_SIGNATURE;
}

static image_status_t check_signatures(const image_source_t *source, const unit_facts_t *facts,
                                       const tlvs_t *tlvs, const uint8_t *digest, uint32_t *number) {
    image_status_t status = check_key(source, facts, tlvs->public_key, number);
    if (status != IMAGE_OK) {
        return status;
    }
    if (!is_signature_good(tlvs->public_key, digest, tlvs->signature)) {
        return IMAGE_SIGNATURE;
    }
    return check_hss(&source->keys[*number], digest, tlvs->hss);
}

// The maker signed these bytes: this check finds a wrongly linked image, not an attack.
static bool are_vectors_sane(const uint8_t *body, uint32_t body_bytes) {
    uint32_t stack = get_u32(body);
    uint32_t entry = get_u32(body + 4);
    uint32_t start = IMAGE_LOAD_ADDRESS + IMAGE_HEADER_BYTES;
    return stack > RAM_ADDRESS && stack <= RAM_END && stack % 8u == 0u && entry % 2u == 1u && entry >= start &&
           entry - start < body_bytes;
}

image_status_t image_load(const image_source_t *source, uint32_t slot_offset, const unit_facts_t *facts,
                          image_t *image) {
    extent_t extent;
    tlvs_t tlvs = {0};
    uint32_t total_bytes = 0;
    const uint8_t *ram = source->code_ram;
    image_status_t status = fetch(source, slot_offset, &extent, &tlvs, &total_bytes);
    if (status != IMAGE_OK) {
        return status;
    }
    uint8_t digest[IMAGE_DIGEST_BYTES];
    if (mbedtls_sha256(ram, extent.hashed_bytes, digest, 0) != 0 ||
        memcmp(digest, tlvs.digest.bytes, sizeof(digest)) != 0) {
        return IMAGE_DIGEST;
    }
    uint32_t key = 0;
    status = check_signatures(source, facts, &tlvs, digest, &key);
    if (status != IMAGE_OK) {
        return status;
    }
    uint32_t counter = get_u32(tlvs.counter.bytes);
    if (counter < facts->counter) {
        return IMAGE_COUNTER;
    }
    if (!are_vectors_sane(ram + IMAGE_HEADER_BYTES, extent.body_bytes)) {
        return IMAGE_VECTORS;
    }
    image->version = (image_version_t){ram[20], ram[21], get_u16(ram + 22), get_u32(ram + 24)};
    image->counter = counter;
    image->key = key;
    image->total_bytes = total_bytes;
    memcpy(image->digest, digest, sizeof(digest));
    return IMAGE_OK;
}

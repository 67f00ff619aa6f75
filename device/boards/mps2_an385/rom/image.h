// An MCUboot image: its fields, and whether this ROM may start it.
#ifndef FIRSTBOOT_ROM_IMAGE_H
#define FIRSTBOOT_ROM_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define IMAGE_DIGEST_BYTES 32u
#define IMAGE_KEYS_MAX 3u
#define IMAGE_HSS_PUBLIC_BYTES 60u

// Why a slot is refused; image_status_text() names each for the console.
typedef enum {
    IMAGE_OK,
    IMAGE_EMPTY,
    IMAGE_HEADER,
    IMAGE_LOAD_ADDRESS_OTHER,
    IMAGE_SIZE,
    IMAGE_TLV,
    IMAGE_DIGEST,
    IMAGE_KEY_UNKNOWN,
    IMAGE_KEY_REVOKED,
    IMAGE_SIGNATURE,
    IMAGE_HSS_MISSING,
    IMAGE_HSS_SIGNATURE,
    IMAGE_COUNTER,
    IMAGE_VECTORS,
    IMAGE_MARK_FAILED,
} image_status_t;

typedef struct {
    uint8_t major;
    uint8_t minor;
    uint16_t revision;
    uint32_t build;
} image_version_t;

typedef struct {
    image_version_t version;
    uint32_t counter;
    uint8_t digest[IMAGE_DIGEST_BYTES];
    uint32_t total_bytes; // header, body and both TLV areas in the slot
    uint32_t key;         // number of the key that signed it
} image_t;

// One image key. The entry, never the image, states which signatures an image of this key needs. An image with a
// signature less or more does not start.
typedef struct {
    uint8_t hash[IMAGE_DIGEST_BYTES]; // SHA-256 of the P-256 key as DER SubjectPublicKeyInfo
    uint8_t needs_hss;                // 1: an HSS/LMS signature of `hss` over the same digest as well
    uint8_t hss[IMAGE_HSS_PUBLIC_BYTES];
} image_key_t;

// Facts about the unit, read from NVM before any image.
typedef struct {
    bool is_locked;
    uint32_t counter;      // programmed units of the security counter
    uint32_t revoked_keys; // bit k: image key k is revoked
} unit_facts_t;

typedef void (*nvm_read_t)(void *context, uint32_t offset, void *to, uint32_t bytes);

// Source and destination of an image, and the keys that may have signed it.
typedef struct {
    nvm_read_t read;
    void *context;
    uint8_t *code_ram; // receives the image; holds the started one afterwards
    uint32_t code_ram_bytes;
    const image_key_t *keys;
    uint32_t key_count;
} image_source_t;

const char *image_status_text(image_status_t status);

// Copy the image at `slot_offset` to code RAM and verify it there, never in the slot, so that the checked bytes are
// the bytes that run. Fills `image` if the result is IMAGE_OK.
image_status_t image_load(const image_source_t *source, uint32_t slot_offset, const unit_facts_t *facts,
                          image_t *image);

#endif

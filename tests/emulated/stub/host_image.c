// image_load on the host, under the sanitizers: reads (length u32 LE, slot content) records from standard input,
// writes one line with the verdict of each. Slot content ends where the record ends; the rest reads 0xFF.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "image_keys.h"
#include "memory_map.h"
#include "nvm_layout.h"

static const image_key_t IMAGE_KEYS[] = {IMAGE_KEYS_INIT};
static uint8_t *content;
static uint32_t content_bytes;

static void slot_read(void *context, uint32_t offset, void *to, uint32_t bytes) {
    (void)context;
    if (offset > NVM_SLOT_BYTES - NVM_SECTOR_BYTES || bytes > NVM_SLOT_BYTES - NVM_SECTOR_BYTES - offset) {
        fprintf(stderr, "read outside the slot: %u bytes at %u\n", bytes, offset);
        abort();
    }
    memset(to, 0xFF, bytes);
    if (offset < content_bytes) {
        uint32_t there = content_bytes - offset;
        memcpy(to, content + offset, there < bytes ? there : bytes);
    }
}

int main(void) {
    uint8_t *ram = malloc(NVM_SLOT_BYTES - NVM_SECTOR_BYTES); // exactly what may be written
    unit_facts_t facts = {.counter = 2, .revoked_keys = 2};
    uint8_t prefix[4];
    while (fread(prefix, 1, sizeof(prefix), stdin) == sizeof(prefix)) {
        content_bytes = prefix[0] | prefix[1] << 8 | prefix[2] << 16 | (uint32_t)prefix[3] << 24;
        content = malloc(content_bytes + 1u);
        if (fread(content, 1, content_bytes, stdin) != content_bytes) {
            return 1;
        }
        image_source_t source = {
            .read = slot_read,
            .code_ram = ram,
            .code_ram_bytes = NVM_SLOT_BYTES - NVM_SECTOR_BYTES,
            .keys = IMAGE_KEYS,
            .key_count = sizeof(IMAGE_KEYS) / sizeof(IMAGE_KEYS[0]),
        };
        image_t image;
        puts(image_status_text(image_load(&source, 0, &facts, &image)));
        free(content);
    }
    free(ram);
    return 0;
}

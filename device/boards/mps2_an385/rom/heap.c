// Memory for Mbed TLS: power-of-two blocks, with a list of free blocks for each size. Small, bounded, and unused after
// the jump. A request without room gets NULL; Mbed TLS reports that and the ROM refuses the image.
#include "heap.h"

#include <stdint.h>
#include <string.h>

#define SMALLEST_LOG2 5u
#define CLASSES 9u // 32 bytes .. 8 KiB
#define ARENA_BYTES (32u * 1024u) // a verification takes below 8 KiB

typedef union block {
    union block *next; // while free
    uint32_t size_class; // while in use; the caller's bytes start one alignment step later
    uint8_t step[8];
} block_t;

static _Alignas(8) uint8_t arena[ARENA_BYTES];
static uint32_t arena_used;
static block_t *free_blocks[CLASSES];

static block_t *take(uint32_t size_class) {
    block_t *block = free_blocks[size_class];
    if (block != NULL) {
        free_blocks[size_class] = block->next;
        return block;
    }
    uint32_t bytes = 1u << (size_class + SMALLEST_LOG2);
    if (bytes > ARENA_BYTES - arena_used) {
        return NULL;
    }
    block = (block_t *)(void *)&arena[arena_used];
    arena_used += bytes;
    return block;
}

void *rom_calloc(size_t count, size_t bytes) {
    if (bytes != 0u && count > ARENA_BYTES / bytes) {
        return NULL;
    }
    uint32_t wanted = (uint32_t)(count * bytes) + sizeof(block_t);
    uint32_t size_class = 0;
    while (size_class < CLASSES && (1u << (size_class + SMALLEST_LOG2)) < wanted) {
        size_class++;
    }
    block_t *block = size_class < CLASSES ? take(size_class) : NULL;
    if (block == NULL) {
        return NULL;
    }
    block->size_class = size_class;
    return memset(block + 1, 0, count * bytes);
}

void rom_free(void *memory) {
    if (memory == NULL) {
        return;
    }
    block_t *block = (block_t *)memory - 1;
    uint32_t size_class = block->size_class;
    block->next = free_blocks[size_class];
    free_blocks[size_class] = block;
}

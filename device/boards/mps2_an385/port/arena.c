// A block has a header of eight bytes; a free block also has its place in the list of free blocks. There is always a
// block in use, or the end, between two free blocks.
#include "arena.h"

#include <stdint.h>
#include <string.h>

#define IN_USE 1u // in `bytes`, which is a multiple of 8
#define HEADER_BYTES 8u

typedef struct block {
    uint32_t below; // bytes of the block before this one, 0 for the first
    uint32_t bytes; // of this block, its header included
    struct block *next, *previous; // while it is free; the caller's bytes begin here
} block_t;

#define SMALLEST_BYTES ((uint32_t)((sizeof(block_t) + 7u) & ~7u))

static uint8_t *first, *end;
static block_t *free_blocks;
static size_t used, peak, refused;

static uint32_t size_of(const block_t *block) {
    return block->bytes & ~IN_USE;
}

static block_t *after(block_t *block) {
    return (block_t *)(void *)((uint8_t *)block + size_of(block));
}

static bool is_free(const block_t *block) {
    return (const uint8_t *)block < end && (block->bytes & IN_USE) == 0;
}

static void link_free(block_t *block, uint32_t bytes) {
    block->bytes = bytes;
    block->previous = NULL;
    block->next = free_blocks;
    if (free_blocks != NULL) {
        free_blocks->previous = block;
    }
    free_blocks = block;
    if ((uint8_t *)after(block) < end) {
        after(block)->below = bytes;
    }
}

static void unlink_free(block_t *block) {
    if (block->previous != NULL) {
        block->previous->next = block->next;
    } else {
        free_blocks = block->next;
    }
    if (block->next != NULL) {
        block->next->previous = block->previous;
    }
}

void arena_init(void *memory, size_t bytes) {
    first = memory;
    end = first + (bytes & ~(size_t)7);
    free_blocks = NULL;
    used = peak = refused = 0;
    block_t *block = memory;
    block->below = 0;
    link_free(block, (uint32_t)(end - first));
}

static block_t *smallest_that_fits(uint32_t wanted) {
    block_t *best = NULL;
    for (block_t *block = free_blocks; block != NULL; block = block->next) {
        if (block->bytes >= wanted && (best == NULL || block->bytes < best->bytes)) {
            best = block;
        }
    }
    return best;
}

void *arena_alloc(size_t bytes) {
    const size_t most = (size_t)(end - first);
    block_t *block = NULL;
    uint32_t wanted = 0;
    if (bytes <= most) {
        wanted = (uint32_t)((bytes + HEADER_BYTES + 7u) & ~(size_t)7);
        wanted = wanted < SMALLEST_BYTES ? SMALLEST_BYTES : wanted;
        block = smallest_that_fits(wanted);
    }
    if (block == NULL) {
        refused++;
        return NULL;
    }
    unlink_free(block);
    const uint32_t left = block->bytes - wanted;
    if (left >= SMALLEST_BYTES) {
        block_t *rest = (block_t *)(void *)((uint8_t *)block + wanted);
        rest->below = wanted;
        link_free(rest, left);
    } else {
        wanted = block->bytes;
    }
    block->bytes = wanted | IN_USE;
    used += wanted;
    peak = used > peak ? used : peak;
    return (uint8_t *)block + HEADER_BYTES;
}

bool arena_free(void *data) {
    if (data == NULL) {
        return true;
    }
    const uintptr_t address = (uintptr_t)data;
    if (address < (uintptr_t)first + HEADER_BYTES || address >= (uintptr_t)end || address % 8 != 0) {
        return false;
    }
    block_t *block = (block_t *)(void *)((uint8_t *)data - HEADER_BYTES);
    uint32_t bytes = size_of(block);
    if ((block->bytes & IN_USE) == 0 || bytes < SMALLEST_BYTES || bytes > (size_t)(end - (uint8_t *)block)) {
        return false;
    }
    memset(data, 0, bytes - HEADER_BYTES);
    used -= bytes;
    block->bytes = bytes;
    block_t *above = after(block);
    if (is_free(above)) {
        unlink_free(above);
        bytes += above->bytes;
        memset(above, 0, sizeof(*above));
    }
    if (block->below != 0) {
        block_t *before = (block_t *)(void *)((uint8_t *)block - block->below);
        if (is_free(before)) {
            unlink_free(before);
            bytes += before->bytes;
            memset(block, 0, sizeof(*block));
            block = before;
        }
    }
    link_free(block, bytes);
    return true;
}

void arena_facts(arena_facts_t *facts) {
    facts->bytes = (size_t)(end - first);
    facts->used = used;
    facts->peak = peak;
    facts->refused = refused;
    facts->largest_free = 0;
    for (block_t *block = free_blocks; block != NULL; block = block->next) {
        if (block->bytes - HEADER_BYTES > facts->largest_free) {
            facts->largest_free = block->bytes - HEADER_BYTES;
        }
    }
}

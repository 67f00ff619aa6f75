// A fixed piece of memory that is handed out in blocks: best fit, and freed neighbours become one block again.
#ifndef FIRSTBOOT_ARENA_H
#define FIRSTBOOT_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t bytes;
    size_t used;         // headers included
    size_t peak;         // the largest `used` so far
    size_t largest_free; // what one request can get
    size_t refused;      // requests without room
} arena_facts_t;

void arena_init(void *memory, size_t bytes); // `memory` is aligned to 8
void *arena_alloc(size_t bytes);             // aligned to 8, its content is undefined; NULL if there is no room
bool arena_free(void *data);                 // wipes it; false if `data` is not a block in use
void arena_facts(arena_facts_t *facts);

#endif

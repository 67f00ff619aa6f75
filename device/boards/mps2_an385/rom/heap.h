#ifndef FIRSTBOOT_ROM_HEAP_H
#define FIRSTBOOT_ROM_HEAP_H

#include <stddef.h>

void *rom_calloc(size_t count, size_t bytes);
void rom_free(void *memory);

#endif

// NVM driver. The emulated memory is plain memory, so the driver keeps the rules of NOR flash (device/layout.py):
// erase whole sectors to 0xFF, program whole erased units, read back what was written.
#include <string.h>

#include "board.h"
#include "variant.h"

#if FIRSTBOOT_POWER_CUTS
#include "nvm_cut.h"
#endif

#define ENTROPY_SECTORS (2)

static volatile uint32_t *words_at(uint32_t offset) {
    return (volatile uint32_t *)(NVM_ADDRESS + offset);
}

const uint8_t *nvm_at(uint32_t offset) {
    return (const uint8_t *)(NVM_ADDRESS + offset);
}

static bool is_inside(uint32_t offset, uint32_t length) {
    return offset <= NVM_SIZE_BYTES && length <= NVM_SIZE_BYTES - offset;
}

static bool touches_entropy(uint32_t offset, uint32_t length) {
    return offset < NVM_ENTROPY_OFFSET + ENTROPY_SECTORS * NVM_SECTOR_BYTES && length > 0
           && offset + length > NVM_ENTROPY_OFFSET;
}

// Lock, security counter, key revocation: never erased (device/layout.py, rule 3).
static bool is_boot_fact(uint32_t offset) {
    return offset / NVM_SECTOR_BYTES == NVM_LOCK_OFFSET_0 / NVM_SECTOR_BYTES
           || offset / NVM_SECTOR_BYTES == NVM_LOCK_OFFSET_1 / NVM_SECTOR_BYTES
           || (offset >= NVM_COUNTER_OFFSET && offset < NVM_COUNTER_OFFSET + NVM_COUNTER_SECTORS * NVM_SECTOR_BYTES)
           || offset / NVM_SECTOR_BYTES == NVM_REVOCATION_OFFSET / NVM_SECTOR_BYTES;
}

int nvm_read(uint32_t offset, uint8_t *data, uint32_t length) {
    if (!is_inside(offset, length)) {
        return NVM_RANGE;
    }
    if (touches_entropy(offset, length)) {
        return NVM_FORBIDDEN;
    }
    memcpy(data, nvm_at(offset), length);
    return 0;
}

int nvm_write_unguarded(uint32_t offset, const uint8_t *data, uint32_t length) {
    if (!is_inside(offset, length)) {
        return NVM_RANGE;
    }
    if (offset % NVM_UNIT_BYTES || length % NVM_UNIT_BYTES) {
        return NVM_ALIGNMENT;
    }
    // All units are checked first, so a refused write changes nothing.
    for (uint32_t at = 0; at < length; at += 4) {
        if (*words_at(offset + at) != 0xFFFFFFFFu) {
            return NVM_NOT_ERASED;
        }
    }
    #if FIRSTBOOT_POWER_CUTS
    cut_when_t cut = length > 0 ? cut_counted() : CUT_NOT;
    if (cut == CUT_TORN) {
        cut_torn_write(words_at(offset), data, length);
    }
    if (cut == CUT_BEFORE || cut == CUT_TORN) {
        cut_power("write", offset, length);
    }
    #endif
    for (uint32_t at = 0; at < length; at += 4) {
        uint32_t word;
        memcpy(&word, data + at, 4);
        *words_at(offset + at) = word;
    }
    #if FIRSTBOOT_POWER_CUTS
    if (cut == CUT_AFTER) {
        cut_power("write", offset, length);
    }
    #endif
    return memcmp(nvm_at(offset), data, length) == 0 ? 0 : NVM_DIFFERS;
}

int nvm_erase_unguarded(uint32_t offset) {
    if (!is_inside(offset, NVM_SECTOR_BYTES)) {
        return NVM_RANGE;
    }
    if (offset % NVM_SECTOR_BYTES) {
        return NVM_ALIGNMENT;
    }
    #if FIRSTBOOT_POWER_CUTS
    cut_when_t cut = cut_counted();
    if (cut == CUT_TORN) {
        cut_torn_erase(words_at(offset));
    }
    if (cut == CUT_BEFORE || cut == CUT_TORN) {
        cut_power("erase", offset, NVM_SECTOR_BYTES);
    }
    #endif
    for (uint32_t at = 0; at < NVM_SECTOR_BYTES; at += 4) {
        *words_at(offset + at) = 0xFFFFFFFFu;
    }
    #if FIRSTBOOT_POWER_CUTS
    if (cut == CUT_AFTER) {
        cut_power("erase", offset, NVM_SECTOR_BYTES);
    }
    #endif
    return 0;
}

int nvm_write(uint32_t offset, const uint8_t *data, uint32_t length) {
    if (is_inside(offset, length) && touches_entropy(offset, length)) {
        return NVM_FORBIDDEN;
    }
    return nvm_write_unguarded(offset, data, length);
}

int nvm_erase(uint32_t offset) {
    if (is_inside(offset, 1) && (touches_entropy(offset, 1) || is_boot_fact(offset))) {
        return NVM_FORBIDDEN;
    }
    return nvm_erase_unguarded(offset);
}

// The boot decision on the host: a NVM in memory and verdicts from the caller, for a test that drives it by ctypes.
#include <string.h>

#include "boot.h"
#include "nvm_layout.h"

static uint8_t nvm[NVM_SIZE_BYTES];
static image_status_t verdicts[BOOT_SLOTS];
static bool is_write_broken;
static uint32_t loads, refusals;

uint8_t *host_nvm(void) {
    return nvm;
}

static void read(void *context, uint32_t offset, void *to, uint32_t bytes) {
    (void)context;
    memcpy(to, nvm + offset, bytes);
}

static void program_unit(void *context, uint32_t offset, const uint8_t *unit) {
    (void)context;
    if (!is_write_broken) {
        memcpy(nvm + offset, unit, NVM_UNIT_BYTES);
    }
}

static image_status_t load(void *context, uint32_t slot, const unit_facts_t *facts, image_t *image) {
    (void)context;
    (void)facts;
    loads++;
    image->counter = slot; // so that the caller sees which slot's image was handed out
    return verdicts[slot];
}

static void refused(void *context, uint32_t slot, image_status_t why) {
    (void)context;
    (void)slot;
    (void)why;
    refusals++;
}

static const boot_port_t PORT = {read, program_unit, load, refused, NULL};

// Bits: 0 found, 1 slot, 2 trial, 3 image of slot, from 8 on: refusals.
uint32_t host_decide(uint32_t good_slots, uint32_t is_broken) {
    verdicts[0] = good_slots & 1u ? IMAGE_OK : IMAGE_DIGEST;
    verdicts[1] = good_slots & 2u ? IMAGE_OK : IMAGE_DIGEST;
    is_write_broken = is_broken != 0;
    refusals = 0;
    unit_facts_t facts = boot_read_facts(&PORT);
    boot_choice_t choice = boot_decide(&PORT, &facts);
    return (choice.is_found ? 1u : 0u) | choice.slot << 1 | (choice.is_trial ? 4u : 0u) |
           choice.image.counter << 3 | refusals << 8;
}

// Lock in bit 0, revoked keys from bit 1 on, counter from bit 8 on.
uint32_t host_facts(void) {
    unit_facts_t facts = boot_read_facts(&PORT);
    return (facts.is_locked ? 1u : 0u) | facts.revoked_keys << 1 | facts.counter << 8;
}

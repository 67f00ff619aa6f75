// The boot decision: which slot starts, and whether as a trial. Pure C over a port, so tests run it on the host.
#ifndef FIRSTBOOT_ROM_BOOT_H
#define FIRSTBOOT_ROM_BOOT_H

#include "image.h"

#define BOOT_SLOTS 2u

typedef struct {
    nvm_read_t read;
    void (*program_unit)(void *context, uint32_t offset, const uint8_t *unit);
    image_status_t (*load)(void *context, uint32_t slot, const unit_facts_t *facts, image_t *image);
    void (*refused)(void *context, uint32_t slot, image_status_t why);
    void *context;
} boot_port_t;

typedef struct {
    bool is_found;
    uint32_t slot;
    bool is_trial;
    image_t image;
} boot_choice_t;

uint32_t boot_slot_offset(uint32_t slot);

// Lock, security counter and revocations. A torn unit counts as programmed: in doubt, less starts.
unit_facts_t boot_read_facts(const boot_port_t *port);

// Choose and load a slot; the chosen image is the last one loaded. Writes `tried` for a trial.
boot_choice_t boot_decide(const boot_port_t *port, const unit_facts_t *facts);

#endif

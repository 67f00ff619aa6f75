// Rules (docs/design.md "Boot"):
// 1. A slot that is staged and not tried, and verifies, starts once as a trial: `tried` is durable before the jump.
// 2. Else the slot with the highest confirm sequence that verifies.
// 3. Else nothing starts.
// A torn `staged` or `confirmed` does not count; a torn `tried` does. Versions never decide.
#include "boot.h"

#include <string.h>

#include "nvm_layout.h"

static const uint8_t STAGED[NVM_UNIT_BYTES] = UNIT_STAGED_INIT;
static const uint8_t TRIED[NVM_UNIT_BYTES] = UNIT_TRIED_INIT;
static const uint8_t CONFIRMED_PREFIX[16] = CONFIRMED_PREFIX_INIT;

typedef struct {
    bool is_staged;
    bool is_tried;
    bool is_confirmed;
    uint32_t sequence;
} marks_t;

uint32_t boot_slot_offset(uint32_t slot) {
    return slot == 0u ? NVM_SLOT_OFFSET_0 : NVM_SLOT_OFFSET_1;
}

static uint32_t mark_offset(uint32_t slot, uint32_t mark) {
    return boot_slot_offset(slot) + NVM_SLOT_BYTES - NVM_SECTOR_BYTES + mark;
}

static bool is_unit_programmed(const boot_port_t *port, uint32_t offset) {
    uint8_t unit[NVM_UNIT_BYTES];
    port->read(port->context, offset, unit, sizeof(unit));
    for (uint32_t index = 0; index < sizeof(unit); index++) {
        if (unit[index] != 0xFFu) {
            return true;
        }
    }
    return false;
}

static uint32_t count_programmed(const boot_port_t *port, uint32_t offset, uint32_t bytes) {
    uint32_t count = 0;
    for (uint32_t at = 0; at < bytes; at += NVM_UNIT_BYTES) {
        count += is_unit_programmed(port, offset + at) ? 1u : 0u;
    }
    return count;
}

unit_facts_t boot_read_facts(const boot_port_t *port) {
    unit_facts_t facts = {0};
    facts.is_locked = count_programmed(port, NVM_LOCK_OFFSET_0, NVM_SECTOR_BYTES) != 0u ||
                      count_programmed(port, NVM_LOCK_OFFSET_1, NVM_SECTOR_BYTES) != 0u;
    facts.counter = count_programmed(port, NVM_COUNTER_OFFSET, NVM_COUNTER_SECTORS * NVM_SECTOR_BYTES);
    for (uint32_t key = 0; key < IMAGE_KEYS_MAX; key++) {
        if (is_unit_programmed(port, NVM_REVOCATION_OFFSET + key * NVM_UNIT_BYTES)) {
            facts.revoked_keys |= 1u << key;
        }
    }
    return facts;
}

static uint32_t get_u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool read_confirmed(const uint8_t *unit, uint32_t *sequence) {
    static const uint8_t ZEROS[8];
    *sequence = get_u32(unit + 16);
    return memcmp(unit, CONFIRMED_PREFIX, sizeof(CONFIRMED_PREFIX)) == 0 &&
           get_u32(unit + 20) == (uint32_t)~*sequence && memcmp(unit + 24, ZEROS, sizeof(ZEROS)) == 0;
}

static marks_t read_marks(const boot_port_t *port, uint32_t slot) {
    marks_t marks;
    uint8_t unit[NVM_UNIT_BYTES];
    port->read(port->context, mark_offset(slot, MARK_STAGED), unit, sizeof(unit));
    marks.is_staged = memcmp(unit, STAGED, sizeof(STAGED)) == 0;
    marks.is_tried = is_unit_programmed(port, mark_offset(slot, MARK_TRIED));
    port->read(port->context, mark_offset(slot, MARK_CONFIRMED), unit, sizeof(unit));
    marks.is_confirmed = read_confirmed(unit, &marks.sequence);
    return marks;
}

static bool load(const boot_port_t *port, const unit_facts_t *facts, uint32_t slot, boot_choice_t *choice) {
    image_status_t status = port->load(port->context, slot, facts, &choice->image);
    if (status != IMAGE_OK) {
        port->refused(port->context, slot, status);
        return false;
    }
    choice->slot = slot;
    return true;
}

// The mark must be readable before the jump: a trial that leaves no trace would start again and again.
static bool write_tried(const boot_port_t *port, uint32_t slot) {
    port->program_unit(port->context, mark_offset(slot, MARK_TRIED), TRIED);
    return is_unit_programmed(port, mark_offset(slot, MARK_TRIED));
}

boot_choice_t boot_decide(const boot_port_t *port, const unit_facts_t *facts) {
    boot_choice_t choice = {0};
    marks_t marks[BOOT_SLOTS];
    for (uint32_t slot = 0; slot < BOOT_SLOTS; slot++) {
        marks[slot] = read_marks(port, slot);
    }
    for (uint32_t slot = 0; slot < BOOT_SLOTS; slot++) {
        if (!marks[slot].is_staged || marks[slot].is_tried || !load(port, facts, slot, &choice)) {
            continue;
        }
        if (write_tried(port, slot)) {
            choice.is_found = true;
            choice.is_trial = true;
            return choice;
        }
        port->refused(port->context, slot, IMAGE_MARK_FAILED);
    }
    // A slot that is not confirmed is passed over below, so the order matters only between two confirmed ones.
    uint32_t first = marks[1].sequence > marks[0].sequence;
    for (uint32_t turn = 0; turn < BOOT_SLOTS; turn++) {
        uint32_t slot = first ^ turn;
        if (marks[slot].is_confirmed && load(port, facts, slot, &choice)) {
            choice.is_found = true;
            return choice;
        }
    }
    return choice;
}

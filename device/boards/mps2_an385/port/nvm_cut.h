// Power cuts by count. Only the firmware variant `cut` has this: nvm.c includes it there.
//
// Rules:
// 1. The machine writes an order after the power-on page: at which program or erase operation, counted from power-on
//    over all resets, and whether before the operation, inside it or after it.
// 2. A torn program leaves whole units, then one with only some of its bits cleared. A torn erase leaves only some
//    bits set. simulator/ports/flash.py does the same.
// 3. The unit then prints the cut on the console and does nothing until the machine switches the power off. NVM is a
//    file of the machine, so it keeps what was written.
#ifndef FIRSTBOOT_NVM_CUT_H
#define FIRSTBOOT_NVM_CUT_H

#include <stdio.h>
#include <string.h>

#include "board.h"

typedef enum { CUT_NOT, CUT_BEFORE, CUT_TORN, CUT_AFTER } cut_when_t;

static cut_order_t *cut_order(void) {
    return (cut_order_t *)CUT_ORDER_ADDRESS;
}

// RAM keeps the count over a reset; the emulator's RAM is zero at power-on.
static volatile uint32_t *cut_count(void) {
    return (volatile uint32_t *)CUT_COUNT_ADDRESS;
}

static cut_when_t cut_counted(void) {
    uint32_t count = ++*cut_count();
    const cut_order_t *order = cut_order();
    return order->magic == CUT_ORDER_MAGIC && order->operation == count ? (cut_when_t)(order->when + 1u) : CUT_NOT;
}

// xorshift32 (Marsaglia 2003): the same order tears the same bits.
static uint32_t cut_random(void) {
    static uint32_t state;
    if (state == 0) {
        state = (cut_order()->tear + 1u) * 2654435761u;
    }
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

__attribute__((noreturn)) static void cut_power(const char *kind, uint32_t offset, uint32_t length) {
    static const char *const when[] = {"before", "torn", "after"};
    char text[112];
    snprintf(text, sizeof(text), "\r\nnvm: power cut %s operation %u: %s of %u bytes at 0x%x\r\n",
        when[cut_order()->when], (unsigned)*cut_count(), kind, (unsigned)length, (unsigned)offset);
    __asm volatile ("cpsid i" : : : "memory");
    console_write(text);
    for (;;) {
        watchdog_feed();
    }
}

static void cut_torn_write(volatile uint32_t *to, const uint8_t *data, uint32_t length) {
    uint32_t whole = cut_random() % (length / NVM_UNIT_BYTES) * NVM_UNIT_BYTES;
    for (uint32_t at = 0; at < whole + NVM_UNIT_BYTES; at += 4) {
        uint32_t word;
        memcpy(&word, data + at, 4);
        to[at / 4] = at < whole ? word : word | cut_random();
    }
}

static void cut_torn_erase(volatile uint32_t *sector) {
    for (uint32_t at = 0; at < NVM_SECTOR_BYTES; at += 4) {
        sector[at / 4] |= cut_random();
    }
}

#endif

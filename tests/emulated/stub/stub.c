// A bare-metal image for tests of the boot ROM and the machine: prints what the ROM handed over, then obeys the console.
//   cN   confirm the running slot with sequence N (0..9)      r   software reset
//   w    hang with the watchdog shortened                      e   echo: every byte of UART0 and UART2 comes back
//   n    program one unit in the user region
// A trial that starts with the button held hangs at once, with the watchdog as the ROM set it.
#include <stdint.h>
#include <string.h>

#include "memory_map.h"
#include "nvm_layout.h"

#define RUN_MARK (*(volatile uint32_t *)RUN_MARK_ADDRESS)
#define AIRCR (*(volatile uint32_t *)0xE000ED0Cu)
#define VTOR (*(volatile uint32_t *)0xE000ED08u)

static const handover_page_t *const handover = (const handover_page_t *)HANDOVER_ADDRESS;
static const power_on_page_t *const power_on = (const power_on_page_t *)POWER_ON_ADDRESS;

static void put(uint32_t uart, uint8_t byte) {
    while (UART_AT(uart)->state & UART_TX_FULL) {
    }
    UART_AT(uart)->data = byte;
}

static void text(const char *characters) {
    while (*characters) {
        put(0, (uint8_t)*characters++);
    }
}

static void number(const char *name, uint32_t value) {
    char digits[11], *at = digits + 10;
    *at = 0;
    do {
        *--at = (char)('0' + value % 10);
    } while (value /= 10);
    text(name);
    text(at);
}

static void hex(const char *name, const uint8_t *bytes, uint32_t count) {
    text(name);
    for (uint32_t i = 0; i < count; i++) {
        put(0, (uint8_t) "0123456789abcdef"[bytes[i] >> 4]);
        put(0, (uint8_t) "0123456789abcdef"[bytes[i] & 15]);
    }
}

static int has_byte(uint32_t uart) {
    return (UART_AT(uart)->state & UART_RX_FULL) != 0;
}

static uint8_t get(uint32_t uart) {
    while (!has_byte(uart)) {
    }
    return (uint8_t)UART_AT(uart)->data;
}

static void program(uint32_t offset, const uint8_t *unit) {
    memcpy((uint8_t *)NVM_ADDRESS + offset, unit, NVM_UNIT_BYTES);
}

static void confirm(uint32_t sequence) {
    static const uint8_t prefix[16] = CONFIRMED_PREFIX_INIT;
    uint8_t unit[NVM_UNIT_BYTES] = {0};
    uint32_t complement = ~sequence;
    memcpy(unit, prefix, 16);
    memcpy(unit + 16, &sequence, 4);
    memcpy(unit + 20, &complement, 4);
    uint32_t slot = handover->slot ? NVM_SLOT_OFFSET_1 : NVM_SLOT_OFFSET_0;
    program(slot + NVM_SLOT_BYTES - NVM_SECTOR_BYTES + MARK_CONFIRMED, unit);
    text("stub: confirmed\n");
}

static void print_page(void) {
    text("stub: magic="), hex("", (const uint8_t *)&handover->magic, 4);
    number(" slot=", handover->slot);
    number(" trial=", handover->is_trial);
    number(" reset=", handover->reset_reason);
    number(" key=", handover->image_key);
    number(" keys=", handover->image_key_count);
    number(" unit_counter=", handover->unit_counter);
    number(" locked=", handover->is_locked);
    number(" version=", handover->version_major);
    number(".", handover->version_minor);
    number(".", handover->version_revision);
    number("+", handover->version_build);
    number(" counter=", handover->image_counter);
    hex(" digest=", handover->image_digest, 32);
    number(" bytes=", handover->image_bytes);
    number(" watchdog_load=", WATCHDOG_AT->load);
    number(" watchdog_control=", WATCHDOG_AT->control);
    number(" vtor=", VTOR);
    number(" flags=", power_on->flags);
    hex(" seed=", power_on->seed, 32);
    hex(" id=", power_on->hardware_id, 16);
    text("\n");
}

static void hang(void) {
    text("stub: hangs\n");
    for (;;) {
    }
}

static void hang_shortly(void) {
    WATCHDOG_AT->lock = WATCHDOG_UNLOCK;
    WATCHDOG_AT->load = CPU_HZ / 1000u;
    hang();
}

static void reset(void) {
    RUN_MARK = RUN_MARK_SOFTWARE;
    AIRCR = 0x05FA0004u;
    for (;;) {
    }
}

static void echo(void) {
    text("stub: echo\n");
    for (;;) {
        if (has_byte(0)) {
            put(0, get(0));
        }
        if (has_byte(2)) {
            put(2, get(2));
        }
    }
}

static void obey(uint8_t command) {
    static const uint8_t written[NVM_UNIT_BYTES] = "written by the stub";
    switch (command) {
        case 'c':
            confirm((uint32_t)(get(0) - '0'));
            break;
        case 'r':
            reset();
            break;
        case 'w':
            hang_shortly();
            break;
        case 'n':
            program(NVM_USER_OFFSET, written);
            text("stub: written\n");
            break;
        case 'e':
            echo();
            break;
        default:
            text("stub: what?\n");
    }
}

void start(void);
void start(void) {
    UART_AT(0)->baud_divider = UART_AT(2)->baud_divider = 16;
    UART_AT(0)->control = UART_AT(2)->control = 3;
    print_page();
    if (handover->is_trial && (power_on->flags & POWER_ON_BUTTON_HELD)) {
        hang();
    }
    for (;;) {
        obey(get(0));
    }
}

static void on_watchdog(void) {
    RUN_MARK = RUN_MARK_WATCHDOG;
    text("stub: watchdog\n");
    for (;;) {
    }
}

typedef void (*handler_t)(void);
__attribute__((section(".vectors"), used)) static const handler_t vectors[16] = {
    (handler_t)(RAM_ADDRESS + 0x10000u), start, on_watchdog, hang,
};

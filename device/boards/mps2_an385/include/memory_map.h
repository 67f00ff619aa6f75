// The emulated board's addresses and the two pages that ROM, firmware and machine share
// (docs/reference/memory-map.md). Numbers inside NVM come from nvm_layout.h.
#ifndef FIRSTBOOT_MEMORY_MAP_H
#define FIRSTBOOT_MEMORY_MAP_H

#include <stdint.h>

#define ROM_ADDRESS (0x00000000u)
#define ROM_BYTES (0x00100000u)
#define CODE_RAM_ADDRESS (0x00100000u)
#define CODE_RAM_END (0x00400000u)
#define RAM_ADDRESS (0x20000000u)
#define RAM_END (0x203FE000u)
#define ROM_WORK_ADDRESS (0x20300000u) // the ROM's own data and stack, free once it has jumped
#define NVM_ADDRESS (0x21000000u)

#define CPU_HZ (25000000u)
#define FPGAIO_LED0 (0x40028000u) // bit 0: the unit's light (Arm DAI0385D, FPGA system control)

// Power-on page: written by the machine at power-on, restored at every reset; 64 bytes, little endian.
#define POWER_ON_ADDRESS (0x203FF000u)
#define POWER_ON_MAGIC (0x4F504246u) // "FBPO"
#define POWER_ON_SEED_PRESENT (1u << 0)
#define POWER_ON_SEED_FIXED (1u << 1)
#define POWER_ON_BUTTON_HELD (1u << 2)

typedef struct {
    uint32_t magic;
    uint32_t flags;
    uint8_t seed[32];
    uint8_t hardware_id[16];
    uint8_t reserved[8];
} power_on_page_t;
_Static_assert(sizeof(power_on_page_t) == 64, "power-on page");

// Behind it, for the variant `cut` of the firmware only: a power cut that a test orders (port/nvm_cut.h).
#define CUT_ORDER_ADDRESS (POWER_ON_ADDRESS + 0x40u)
#define CUT_ORDER_MAGIC (0x54554346u) // "FCUT"

typedef struct {
    uint32_t magic;
    uint32_t operation; // the first one after power-on is 1
    uint32_t when;      // 0 before it, 1 inside, 2 after
    uint32_t tear;      // which random bits a torn one leaves
} cut_order_t;
_Static_assert(sizeof(cut_order_t) == 16, "cut order");

// Handover page: written by the ROM, read by the firmware; survives a reset, not a power cut.
#define HANDOVER_ADDRESS (0x203FE000u)
#define HANDOVER_MAGIC (0x4F484246u) // "FBHO"
#define HANDOVER_VERSION (2u)

typedef struct {
    uint32_t magic;
    uint32_t struct_version;
    uint32_t slot;
    uint32_t is_trial;
    uint32_t reset_reason; // RESET_* of nvm_layout.h
    uint32_t unit_counter;
    uint32_t is_locked;
    uint8_t version_major;
    uint8_t version_minor;
    uint16_t version_revision;
    uint32_t version_build;
    uint32_t image_counter;
    uint8_t image_digest[32];
    uint32_t image_bytes;
    uint32_t image_key; // number of the image key that signed it
    uint32_t image_key_count;
} handover_page_t;
_Static_assert(sizeof(handover_page_t) == 84, "handover page");

// Why the last run ended, one word in the handover page.
#define RUN_MARK_ADDRESS (HANDOVER_ADDRESS + 0x100u)
#define RUN_MARK_RUNNING (0x4E4E5552u)  // "RUNN": the ROM, before the jump
#define RUN_MARK_SOFTWARE (0x54464F53u) // "SOFT": firmware, before SYSRESETREQ
#define RUN_MARK_WATCHDOG (0x474F4457u) // "WDOG": firmware, in the watchdog's NMI

// Operations on NVM since power-on, counted by the variant `cut` only; a reset keeps it.
#define CUT_COUNT_ADDRESS (HANDOVER_ADDRESS + 0x140u)

// CMSDK APB UART (QEMU cmsdk-apb-uart; Arm DDI 0479C 4.3).
typedef struct {
    volatile uint32_t data;
    volatile uint32_t state;   // bit 0 TX full, 1 RX full, 2 TX overrun, 3 RX overrun
    volatile uint32_t control; // bit 0 TX, 1 RX, 2 TX interrupt, 3 RX interrupt
    volatile uint32_t interrupt;
    volatile uint32_t baud_divider;
} cmsdk_uart_t;
#define UART_ADDRESS(index) (0x40004000u + 0x1000u * (index))
#define UART_AT(index) ((cmsdk_uart_t *)UART_ADDRESS(index))
#define UART_TX_FULL (1u << 0)
#define UART_RX_FULL (1u << 1)
#define UART_TX_OVERRUN (1u << 2)
#define UART_RX_OVERRUN (1u << 3)

// CMSDK APB watchdog (Arm DDI 0479C 4.5): the first expiry is an NMI, the second resets.
typedef struct {
    volatile uint32_t load;
    volatile uint32_t value;
    volatile uint32_t control; // bit 0 interrupt and counter on, bit 1 reset on
    volatile uint32_t clear;   // any write: clears the interrupt, reloads
    volatile uint32_t raw_status;
    volatile uint32_t status;
    uint32_t reserved[0x2FA];
    volatile uint32_t lock; // at 0xC00
} cmsdk_watchdog_t;
#define WATCHDOG_AT ((cmsdk_watchdog_t *)0x40008000u)
#define WATCHDOG_UNLOCK (0x1ACCE551u)
#define WATCHDOG_LOAD (10u * CPU_HZ)

#endif

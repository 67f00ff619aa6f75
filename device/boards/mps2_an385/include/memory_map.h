// The emulated boards' shared pages and peripherals (docs/reference/memory-map.md). All addresses and magic numbers come
// from addresses.h, all numbers inside NVM from nvm_layout.h, the rest that differs between the boards from
// board_facts.h; the build generates all three.
#ifndef FIRSTBOOT_MEMORY_MAP_H
#define FIRSTBOOT_MEMORY_MAP_H

#include <stdint.h>

#include "addresses.h"
#include "board_facts.h"

// Power-on page, 64 bytes, little endian.
typedef struct {
    uint32_t magic; // POWER_ON_MAGIC
    uint32_t flags; // POWER_ON_SEED_PRESENT, POWER_ON_SEED_FIXED, POWER_ON_BUTTON_HELD
    uint8_t seed[32];
    uint8_t hardware_id[16];
    uint8_t reserved[8];
} power_on_page_t;
_Static_assert(sizeof(power_on_page_t) == CUT_ORDER_ADDRESS - POWER_ON_ADDRESS, "power-on page");

// A power cut that a test orders, at CUT_ORDER_ADDRESS (port/nvm_cut.h).
typedef struct {
    uint32_t magic;     // CUT_ORDER_MAGIC
    uint32_t operation; // the first one after power-on is 1
    uint32_t when;      // 0 before it, 1 inside, 2 after
    uint32_t tear;      // which random bits a torn one leaves
} cut_order_t;
_Static_assert(sizeof(cut_order_t) == 16, "cut order");

typedef struct {
    uint32_t magic;          // HANDOVER_MAGIC
    uint32_t struct_version; // HANDOVER_VERSION
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

// Where the firmware keeps its clock and what the UARTs received, at RINGS_ADDRESS. A machine that records a run puts
// bytes there while the processor stands still; 0 is a UART that does not receive.
typedef struct {
    uint32_t magic;      // RINGS_MAGIC
    uint32_t ring_bytes; // of each ring; one of them stays free
    uint32_t clock;      // address of the u32 milliseconds since the start
    struct {
        uint32_t head;  // address of the u32 index of the next byte to write
        uint32_t tail;  // address of the u32 index of the next byte to read
        uint32_t bytes; // address of the ring
    } uart[3];
} receive_rings_t;
_Static_assert(sizeof(receive_rings_t) == 48, "receive rings");

// CMSDK APB UART (QEMU cmsdk-apb-uart; Arm DDI 0479C 4.3).
typedef struct {
    volatile uint32_t data;
    volatile uint32_t state;   // bit 0 TX full, 1 RX full, 2 TX overrun, 3 RX overrun
    volatile uint32_t control; // bit 0 TX, 1 RX, 2 TX interrupt, 3 RX interrupt
    volatile uint32_t interrupt;
    volatile uint32_t baud_divider;
} cmsdk_uart_t;
// The watchdog lies between UART 3 and 4.
#define UART_ADDRESS(index) (UART_BASE_ADDRESS + UART_STRIDE_BYTES * ((index) + (index) / 4))
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
#define WATCHDOG_AT ((cmsdk_watchdog_t *)WATCHDOG_ADDRESS)
#define WATCHDOG_UNLOCK (0x1ACCE551u)
#define WATCHDOG_LOAD (10u * CPU_HZ)

#endif

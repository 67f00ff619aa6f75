// Everything is secure. Rules:
// 1. The SAU is off: the processor then takes every address as a secure one.
// 2. Every block of the RAMs, and every peripheral, belongs to the secure side. No secure memory has entry points for
//    non-secure code. An access from the wrong side is a bus error.
// 3. A reset leaves the same state. The ROM does not rely on that: it writes it, reads it back and locks what has a lock.
// Sources: Armv8-M ARM (SAU_CTRL), Arm DDI 0571 (memory protection controller), Arm DDI 0574 (security control block).
#include "trustzone.h"

#include <stdint.h>

#include "memory_map.h"

#define SAU_CTRL (*(volatile uint32_t *)0xE000EDD0u)

typedef struct {
    volatile uint32_t control;
    uint32_t reserved[3];
    volatile uint32_t last_block; // number of the last word of the table
    volatile uint32_t block_size;
    volatile uint32_t index; // which word of the table; moves on by itself
    volatile uint32_t table; // one bit a block: 1 is non-secure
} mpc_t;
#define MPC_BUS_ERROR (1u << 4)
#define MPC_MOVES_ON (1u << 8)
#define MPC_LOCKED (1u << 31)

static const uint32_t MPCS[] = {MPC_SSRAM_1_ADDRESS, MPC_SSRAM_2_ADDRESS, MPC_SSRAM_3_ADDRESS};

#define CONTROL ((volatile uint32_t *)SECURITY_CONTROL_ADDRESS)
#define RESPONSE (0x10u / 4u) // 1: a bus error
#define CALLABLE (0x14u / 4u) // secure memory with entry points
// AHB, then APB inside and outside of the subsystem. One bit a peripheral: 1 is non-secure.
static const uint8_t PERIPHERALS[] = {0x60, 0x64, 0x68, 0x6C, 0x70, 0x74, 0x80, 0x84, 0x88, 0x8C};

static bool close_mpc(mpc_t *mpc) {
    mpc->control = MPC_BUS_ERROR | MPC_MOVES_ON;
    mpc->index = 0;
    for (uint32_t word = 0; word <= mpc->last_block; word++) {
        mpc->table = 0;
    }
    mpc->index = 0;
    uint32_t open = 0;
    for (uint32_t word = 0; word <= mpc->last_block; word++) {
        open |= mpc->table;
    }
    mpc->control = MPC_BUS_ERROR | MPC_MOVES_ON | MPC_LOCKED;
    return open == 0u && (mpc->control & MPC_LOCKED) != 0u;
}

bool trustzone_all_secure(void) {
    SAU_CTRL = 0;
    __asm volatile("dsb\n isb" : : : "memory");
    bool is_closed = SAU_CTRL == 0u;
    for (uint32_t index = 0; index < sizeof(MPCS) / sizeof(MPCS[0]); index++) {
        is_closed = close_mpc((mpc_t *)MPCS[index]) && is_closed;
    }
    CONTROL[RESPONSE] = 1;
    CONTROL[CALLABLE] = 0;
    for (uint32_t index = 0; index < sizeof(PERIPHERALS); index++) {
        CONTROL[PERIPHERALS[index] / 4u] = 0;
        is_closed = CONTROL[PERIPHERALS[index] / 4u] == 0u && is_closed;
    }
    return is_closed && CONTROL[CALLABLE] == 0u;
}

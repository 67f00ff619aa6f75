// Hardware functions that MicroPython's core needs from a port.
#ifndef FIRSTBOOT_MPHALPORT_H
#define FIRSTBOOT_MPHALPORT_H

#include <stdint.h>

#include "shared/runtime/interrupt_char.h"

#define MICROPY_BEGIN_ATOMIC_SECTION() port_irq_disable()
#define MICROPY_END_ATOMIC_SECTION(state) port_irq_restore(state)

static inline uint32_t port_irq_disable(void) {
    uint32_t state;
    __asm volatile ("mrs %0, primask\n cpsid i" : "=r" (state) : : "memory");
    return state;
}

static inline void port_irq_restore(uint32_t state) {
    __asm volatile ("msr primask, %0" : : "r" (state) : "memory");
}

#endif

// Vector table and reset: the ROM jumps here with the watchdog armed (docs/design.md, "Boot").
#include <string.h>

#include "board.h"

extern uint32_t _stack_top, _stack_bottom, _load_data, _start_data, _end_data, _start_bss, _end_bss;

#define SCB_VTOR (*(volatile uint32_t *)0xE000ED08)

int main(void);
void Reset_Handler(void) __attribute__((noreturn));
void NMI_Handler(void);
void HardFault_Handler(void);
void SysTick_Handler(void);
void UART0_RX_Handler(void);
void UART1_RX_Handler(void);
void UART2_RX_Handler(void);
void Unexpected_Handler(void);

// In place of those of uart.c, which only the variant `radio` has.
__attribute__((weak)) void UART3_RX_Handler(void) {
    Unexpected_Handler();
}

__attribute__((weak)) void UART4_RX_Handler(void) {
    Unexpected_Handler();
}

#define STACK_IN_USE_BYTES (256) // of the functions below, when they fill the rest

static void fill_stack(volatile uint32_t *word, uintptr_t end) {
    while ((uintptr_t)word < end) {
        *word++ = STACK_PATTERN;
    }
}

typedef void (*vector_t)(void);

// 16 system exceptions, then the external interrupts.
#define FIRST (16 + UART_INTERRUPT)
#define INTERRUPTS (UART_INTERRUPT + 32)
__attribute__((section(".isr_vector"), used, aligned(512)))
static const vector_t vectors[16 + INTERRUPTS] = {
    (vector_t)&_stack_top,
    Reset_Handler,
    NMI_Handler,
    HardFault_Handler,
    HardFault_Handler, // MemManage, BusFault, UsageFault escalate to HardFault
    HardFault_Handler,
    HardFault_Handler,
    0, 0, 0, 0,
    Unexpected_Handler, // SVCall
    Unexpected_Handler,
    0,
    Unexpected_Handler, // PendSV
    SysTick_Handler,
    [16 ... 16 + INTERRUPTS - 1] = Unexpected_Handler,
    [FIRST + 0] = UART0_RX_Handler,
    [FIRST + 2] = UART1_RX_Handler,
    [FIRST + 4] = UART2_RX_Handler,
    [FIRST + 18] = UART3_RX_Handler,
    [FIRST + 20] = UART4_RX_Handler,
};

void Reset_Handler(void) {
    // The ROM's stack can be inside the firmware's data: change to the firmware's stack before memory is written.
    __asm volatile ("msr msp, %0" : : "r" (&_stack_top) : "memory");
    SCB_VTOR = (uint32_t)vectors;
    uintptr_t in_use;
    __asm volatile ("mov %0, sp" : "=r" (in_use));
    fill_stack(&_stack_bottom, in_use - STACK_IN_USE_BYTES);
    memcpy(&_start_data, &_load_data, (size_t)((char *)&_end_data - (char *)&_start_data));
    memset(&_start_bss, 0, (size_t)((char *)&_end_bss - (char *)&_start_bss));
    __asm volatile ("cpsie i");
    main();
    board_fail("main returned");
}

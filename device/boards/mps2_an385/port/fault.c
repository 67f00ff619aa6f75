// The ends of a run: a reset, the watchdog, a fault. None of them hangs; each prints its cause on the console.
#include "board.h"

#define SCB_AIRCR (*(volatile uint32_t *)0xE000ED0C)
#define SCB_CFSR (*(volatile uint32_t *)0xE000ED28)
#define SCB_BFAR (*(volatile uint32_t *)0xE000ED38)
#define AIRCR_SYSRESETREQ (0x05FA0004u)

// A unit that crashes at every start writes its entropy state each time. The pause limits the wear of the flash.
#define PAUSE_BEFORE_RESET_MS (2000)
#define WATCHDOG_LIVED_MS (5000) // half of the watchdog's ten seconds

void board_reset(uint32_t run_mark) {
    *(volatile uint32_t *)RUN_MARK_ADDRESS = run_mark;
    __asm volatile ("dsb" : : : "memory");
    SCB_AIRCR = AIRCR_SYSRESETREQ;
    __asm volatile ("dsb" : : : "memory");
    for (;;) {
    }
}

void board_fail(const char *why) {
    console_write("\r\nfirmware: ");
    console_write(why);
    console_write(": restarting\r\n");
    time_pause_polled(PAUSE_BEFORE_RESET_MS);
    // The mark of the watchdog, because the firmware did not decide to end this run.
    board_reset(RUN_MARK_WATCHDOG);
}

static uint64_t fed_at_ms;
static bool is_spared;

void watchdog_feed(void) {
    fed_at_ms = time_ms();
    is_spared = false;
    WATCHDOG_AT->lock = WATCHDOG_UNLOCK;
    WATCHDOG_AT->clear = 1;
    WATCHDOG_AT->lock = 0;
}

// The frame that the core pushed: r0-r3, r12, lr, pc, xpsr.
__attribute__((used)) static void report(const uint32_t *frame, const char *what, bool pause) {
    *(volatile uint32_t *)RUN_MARK_ADDRESS = RUN_MARK_WATCHDOG;
    console_write("\r\nfirmware: ");
    console_write(what);
    bool is_frame = (uintptr_t)frame >= RAM_ADDRESS && (uintptr_t)frame <= RAM_END - 32 && !((uintptr_t)frame & 3);
    if (is_frame) {
        console_write(" at pc ");
        console_write_hex(frame[6]);
        console_write(", lr ");
        console_write_hex(frame[5]);
    } else {
        console_write(", stack lost");
    }
    console_write(", cfsr ");
    console_write_hex(SCB_CFSR);
    console_write(", address ");
    console_write_hex(SCB_BFAR);
    console_write(": restarting\r\n");
    if (pause) {
        time_pause_polled(PAUSE_BEFORE_RESET_MS);
    }
    board_reset(RUN_MARK_WATCHDOG);
}

__attribute__((used)) void report_fault(const uint32_t *frame) {
    report(frame, "fault", true);
}

// The first expiry ten seconds after a feed that the guest did not live through: the emulator's host stood still, and
// the guest's clock jumped. SysTick counts only the milliseconds in which the guest ran. A hang that lets SysTick count
// is over now; one with interrupts off is spared once, and its second expiry resets.
__attribute__((used)) bool spare_watchdog(void) {
    if (is_spared || time_ms() - fed_at_ms >= WATCHDOG_LIVED_MS) {
        return false;
    }
    watchdog_feed();
    is_spared = true;
    return true;
}

__attribute__((used)) void report_watchdog(const uint32_t *frame) {
    // First expiry. The second one, ten seconds later, resets even if this handler fails.
    report(frame, "watchdog", false);
}

// After a stack overflow there is no room for a handler. It starts again at the top: nothing returns to this stack.
#define ENTER(function) \
    __asm volatile ( \
    "mrs r0, msp\n" \
    "ldr r1, =_stack_top\n" \
    "mov sp, r1\n" \
    "b " function "\n" \
    ".ltorg\n" \
    )

__attribute__((naked)) void HardFault_Handler(void) {
    ENTER("report_fault");
}

__attribute__((naked)) void NMI_Handler(void) {
    __asm volatile (
        "mrs r0, msp\n"
        "push {r0, lr}\n"
        "bl spare_watchdog\n"
        "cmp r0, #0\n"
        "pop {r0, lr}\n"
        "it ne\n"
        "bxne lr\n"
        );
    ENTER("report_watchdog");
}

void Unexpected_Handler(void) {
    board_fail("unexpected interrupt");
}

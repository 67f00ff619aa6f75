// The CMSDK UARTs: transmit is polled and bounded, receive uses interrupts and one ring for each UART.
// Only the variant `radio` uses UART 3 and 4; the others have no byte of them.
#include "py/mphal.h"
#include "py/runtime.h"

#include "board.h"
#include "variant.h"

#if FIRSTBOOT_RADIO
#define UARTS (5)
#else
#define UARTS (3)
#endif
#define RECORDED_UARTS (3) // the table of the rings has no more (memory_map.h)
#define RING_BYTES (64 * 1024) // a full TCP window and the bytes that arrive while Python computes
#define STALL_MS (1000)        // a write gives up after the line took no byte for this long

#define CONTROL_TX (1u << 0)
#define CONTROL_RX (1u << 1)
#define CONTROL_RX_INTERRUPT (1u << 3)
#define INTERRUPT_RX (1u << 1)

#define NVIC_ISER ((volatile uint32_t *)0xE000E100)

// One writer (the interrupt handler moves head) and one reader (tail) need no lock.
typedef struct {
    volatile uint32_t head, tail;
    uint32_t lost;
    bool is_stalled;
    uint8_t bytes[RING_BYTES];
} ring_t;

static ring_t rings[UARTS];

static const uint8_t receive_interrupts[] = {0, 2, 4, 18, 20}; // Arm DAI0385D, 4.3

bool uart_exists(unsigned index) {
    return index < UARTS;
}

void uart_init(void) {
    receive_rings_t *table = (receive_rings_t *)RINGS_ADDRESS;
    *table = (receive_rings_t){.magic = RINGS_MAGIC, .ring_bytes = RING_BYTES, .clock = time_ms_address()};
    for (unsigned index = 0; index < UARTS; index++) {
        UART_AT(index)->baud_divider = CPU_HZ / 115200; // emulators ignore it
        UART_AT(index)->control = CONTROL_TX;
    }
}

void uart_start_receive(unsigned index) {
    rings[index].head = rings[index].tail = 0;
    UART_AT(index)->state = UART_TX_OVERRUN | UART_RX_OVERRUN;
    UART_AT(index)->control = CONTROL_TX | CONTROL_RX | CONTROL_RX_INTERRUPT;
    NVIC_ISER[UART_INTERRUPT / 32] = 1u << (UART_INTERRUPT % 32 + receive_interrupts[index]);
    if (index >= RECORDED_UARTS) {
        return;
    }
    receive_rings_t *table = (receive_rings_t *)RINGS_ADDRESS;
    table->uart[index].head = (uint32_t)&rings[index].head;
    table->uart[index].tail = (uint32_t)&rings[index].tail;
    table->uart[index].bytes = (uint32_t)rings[index].bytes;
}

static void receive(unsigned index) {
    cmsdk_uart_t *uart = UART_AT(index);
    ring_t *ring = &rings[index];
    uart->interrupt = INTERRUPT_RX;
    // Bounded, so that one busy line cannot block the others and the clock.
    for (unsigned count = 0; count < 64 && (uart->state & UART_RX_FULL); count++) {
        uint8_t byte = (uint8_t)uart->data;
        #if MICROPY_KBD_EXCEPTION
        if (index == UART_CONSOLE && byte == mp_interrupt_char) {
            mp_sched_keyboard_interrupt();
            continue;
        }
        #endif
        uint32_t next = (ring->head + 1) % RING_BYTES;
        if (next == ring->tail) {
            ring->lost++;
        } else {
            ring->bytes[ring->head] = byte;
            ring->head = next;
        }
    }
}

void UART0_RX_Handler(void);
void UART1_RX_Handler(void);
void UART2_RX_Handler(void);
void UART0_RX_Handler(void) {
    receive(0);
}
void UART1_RX_Handler(void) {
    receive(1);
}
void UART2_RX_Handler(void) {
    receive(2);
}

#if FIRSTBOOT_RADIO
void UART3_RX_Handler(void);
void UART4_RX_Handler(void);
void UART3_RX_Handler(void) {
    receive(UART_RADIO);
}
void UART4_RX_Handler(void) {
    receive(UART_IMPROV);
}
#endif

size_t uart_available(unsigned index) {
    return (rings[index].head + RING_BYTES - rings[index].tail) % RING_BYTES;
}

size_t uart_read(unsigned index, uint8_t *data, size_t length) {
    ring_t *ring = &rings[index];
    size_t count = 0;
    while (count < length && ring->tail != ring->head) {
        data[count++] = ring->bytes[ring->tail];
        ring->tail = (ring->tail + 1) % RING_BYTES;
    }
    return count;
}

uint32_t uart_lost(unsigned index) {
    return rings[index].lost;
}

bool uart_can_write(unsigned index) {
    return !(UART_AT(index)->state & UART_TX_FULL);
}

size_t uart_write(unsigned index, const uint8_t *data, size_t length) {
    ring_t *ring = &rings[index];
    for (size_t count = 0; count < length; count++) {
        uint64_t start = time_ms();
        // A real line always takes bytes; an emulated line whose reader sleeps must not block the device.
        while (!uart_can_write(index)) {
            if (ring->is_stalled || time_ms() - start > STALL_MS) {
                ring->is_stalled = true;
                return count;
            }
        }
        ring->is_stalled = false;
        UART_AT(index)->data = data[count];
    }
    return length;
}

// For fault handlers too: it uses no clock, so a stalled console loses the text after a bounded number of tries.
void console_write(const char *text) {
    for (; *text; text++) {
        for (uint32_t tries = 0; !uart_can_write(UART_CONSOLE) && tries < 1000000; tries++) {
        }
        UART_AT(UART_CONSOLE)->data = (uint8_t)*text;
    }
}

void console_write_hex(uint32_t word) {
    char text[9] = {0};
    for (int digit = 0; digit < 8; digit++) {
        text[digit] = "0123456789abcdef"[word >> (28 - 4 * digit) & 15];
    }
    console_write(text);
}

int mp_hal_stdin_rx_chr(void) {
    uint8_t byte;
    while (uart_read(UART_CONSOLE, &byte, 1) == 0) {
        watchdog_feed(); // only with an open console: waiting for input at the prompt is not a hang
        mp_event_wait_ms(1);
    }
    return byte;
}

mp_uint_t mp_hal_stdout_tx_strn(const char *text, size_t length) {
    uart_write(UART_CONSOLE, (const uint8_t *)text, length);
    return length;
}

uintptr_t mp_hal_stdio_poll(uintptr_t flags) {
    uintptr_t ready = flags & 4; // always writable
    return uart_available(UART_CONSOLE) ? ready | (flags & 1) : ready;
}

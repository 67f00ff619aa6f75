#include "console.h"

#include "memory_map.h"

#define BAUD_DIVIDER (CPU_HZ / 115200u) // the emulators ask only for 16 or more

void console_start(void) {
    UART_AT(0)->baud_divider = BAUD_DIVIDER;
    UART_AT(0)->control = 1u;
}

static void put(char character) {
    while ((UART_AT(0)->state & UART_TX_FULL) != 0u) {
    }
    UART_AT(0)->data = (uint8_t)character;
}

void console_text(const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            put('\r');
        }
        put(*text);
    }
}

void console_number(uint32_t number) {
    char digits[11];
    char *at = &digits[sizeof(digits) - 1];
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10u);
        number /= 10u;
    } while (number != 0u);
    console_text(at);
}

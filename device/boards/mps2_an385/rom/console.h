// UART0, transmit only, polled.
#ifndef FIRSTBOOT_ROM_CONSOLE_H
#define FIRSTBOOT_ROM_CONSOLE_H

#include <stdint.h>

void console_start(void);
void console_text(const char *text);
void console_number(uint32_t number);

#endif

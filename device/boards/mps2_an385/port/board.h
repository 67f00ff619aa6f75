// The functions that the parts of the port offer to each other.
#ifndef FIRSTBOOT_BOARD_H
#define FIRSTBOOT_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "entropy.h"
#include "memory_map.h"
#include "nvm_layout.h"

// time.c: SysTick milliseconds since the start; the time for certificate dates in TLS.
void time_init(void);
uint64_t time_ms(void);
uint32_t time_ms_address(void); // of the low word
void time_pause_polled(uint32_t milliseconds); // needs no interrupts: for fault handlers
void time_set_trusted(bool is_known, int64_t unix_s);

// uart.c: polled transmit, interrupt-driven receive.
#define UART_CONSOLE (0)
#define UART_NETWORK (1)
#define UART_FACTORY (2)
#define UART_RADIO (3)  // variant `radio` only, as the next one
#define UART_IMPROV (4)
bool uart_exists(unsigned index);
void uart_init(void);
void uart_start_receive(unsigned index);
size_t uart_read(unsigned index, uint8_t *data, size_t length);
size_t uart_available(unsigned index);
bool uart_can_write(unsigned index);
// Writes until done, or until the line takes no byte for a second; returns the bytes written.
size_t uart_write(unsigned index, const uint8_t *data, size_t length);
uint32_t uart_lost(unsigned index);
void console_write(const char *text);
void console_write_hex(uint32_t word);

// fault.c
void board_reset(uint32_t run_mark) __attribute__((noreturn));
void board_fail(const char *why) __attribute__((noreturn)); // prints `why`, pauses, resets with the mark WDOG
void watchdog_feed(void);

// nvm.c: functions return 0 or one of these; device/layout.py states the NOR rules.
#define NVM_RANGE (-1)       // outside the NVM
#define NVM_ALIGNMENT (-2)
#define NVM_NOT_ERASED (-3)
#define NVM_FORBIDDEN (-4)   // boot facts are never erased; only the driver uses the entropy state
#define NVM_DIFFERS (-5)     // the read-back differs from what was written
int nvm_read(uint32_t offset, uint8_t *data, uint32_t length);
int nvm_write(uint32_t offset, const uint8_t *data, uint32_t length);
int nvm_erase(uint32_t offset);
// The same without the guard on the entropy sectors, only for entropy.c.
int nvm_write_unguarded(uint32_t offset, const uint8_t *data, uint32_t length);
int nvm_erase_unguarded(uint32_t offset);
const uint8_t *nvm_at(uint32_t offset);

// entropy.c, with the functions of entropy.h
void entropy_init(void);
bool entropy_is_test_seed(void);

// pages.c: the pages of the ROM and the machine; NULL if the magic number is wrong.
const handover_page_t *handover_page(void);
const power_on_page_t *power_on_page(void);

// tls.c
void tls_memory_init(void);

// network.c
void network_init(void);
void network_poll(void);
bool network_is_up(void);

// main.c
size_t heap_bytes(void);
size_t heap_peak_bytes(void);
size_t heap_least_block_bytes(void); // the largest free block was never smaller than this, after a collection
void heap_peak_restart(void); // for measurements
size_t stack_bytes(void);
size_t stack_peak_bytes(void); // the deepest use since the start
#define STACK_PATTERN (0x5A5AA5A5u) // what startup.c writes into the stack
bool console_is_open(void); // a development build

#endif

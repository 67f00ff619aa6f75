// Start of the firmware: memory, generator, network line, banner, then the frozen main of this variant.
#include <string.h>

#include "py/cstack.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "py/mpprint.h"
#include "py/objlist.h"
#include "py/objstr.h"
#include "py/runtime.h"
#include "shared/runtime/gchelper.h"
#include "shared/runtime/pyexec.h"

#include "board.h"
#include "variant.h"

#ifndef FIRSTBOOT_HEAP_BYTES // a variant may have a heap of its own size
#define FIRSTBOOT_HEAP_BYTES HEAP_BYTES
#endif
#ifndef FIRSTBOOT_COLLECT_BYTES // 0: only a full heap is collected
#define FIRSTBOOT_COLLECT_BYTES COLLECT_EVERY_BYTES
#endif
#define STACK_RESERVE_BYTES (8 * 1024) // below the limit that Python sees: interrupts, deepest call of Mbed TLS

#if FIRSTBOOT_MOVED_BYTES
// Moves all code after the vectors, so that no chunk equals one of the plain build. A transfer then sees a release
// that changed everywhere.
__attribute__((section(".moved"), used)) static const uint8_t moved[FIRSTBOOT_MOVED_BYTES] = {1};
#endif

extern uint32_t _stack_top, _stack_bottom;

static _Alignas(16) uint8_t heap[FIRSTBOOT_HEAP_BYTES];
static size_t heap_peak, heap_least_block = FIRSTBOOT_HEAP_BYTES;

static void note_heap(void) {
    gc_info_t info;
    gc_info(&info);
    if (info.used > heap_peak) {
        heap_peak = info.used;
    }
    const size_t block = info.max_free * MICROPY_BYTES_PER_GC_BLOCK;
    if (block < heap_least_block) {
        heap_least_block = block;
    }
}

// Free memory keeps no old contents: the collection after a request removes the password that the owner typed.
static void wipe_free_memory(void) {
    const mp_state_mem_area_t *area = &MP_STATE_MEM(area); // the only area: MICROPY_GC_SPLIT_HEAP is off
    const size_t blocks = area->gc_alloc_table_byte_len * 4; // two bits of the table for each block, 0 is free
    size_t begin = 0;
    for (size_t block = 0; block <= blocks; block++) {
        const uint8_t kinds = block < blocks ? area->gc_alloc_table_start[block / 4] : 0xFF;
        if (block % 4 == 0 && kinds == 0) {
            block += 3; // most of the heap is free: four blocks at a time
        } else if (((kinds >> (2 * (block % 4))) & 3) != 0) {
            memset(area->gc_pool_start + begin * MICROPY_BYTES_PER_GC_BLOCK, 0,
                (block - begin) * MICROPY_BYTES_PER_GC_BLOCK);
            begin = block + 1;
        }
    }
}

void gc_collect(void) {
    gc_collect_start();
    gc_helper_collect_regs_and_stack();
    gc_collect_end();
    wipe_free_memory();
    note_heap();
}

// The most bytes in use after any collection or now, garbage included: what a smaller heap must hold.
size_t heap_peak_bytes(void) {
    note_heap();
    return heap_peak;
}

void heap_peak_restart(void) {
    heap_peak = 0;
    heap_least_block = FIRSTBOOT_HEAP_BYTES;
}

size_t heap_bytes(void) {
    return FIRSTBOOT_HEAP_BYTES;
}

size_t heap_least_block_bytes(void) {
    note_heap();
    return heap_least_block;
}

size_t stack_bytes(void) {
    return (size_t)((char *)&_stack_top - (char *)&_stack_bottom);
}

size_t stack_peak_bytes(void) {
    const uint32_t *deepest = &_stack_bottom;
    while (deepest < &_stack_top && *deepest == STACK_PATTERN) {
        deepest++;
    }
    return (size_t)((const char *)&_stack_top - (const char *)deepest);
}

void board_poll(void) {
    network_poll();
}

void board_wait_for_interrupt(void) {
    __asm volatile ("wfi" : : : "memory");
}

void nlr_jump_fail(void *value) {
    (void)value;
    board_fail("exception without a handler");
}

bool console_is_open(void) {
    return FIRSTBOOT_OPEN_CONSOLE;
}

static void banner(void) {
    static const char *const reasons[] = {"power-on", "software", "watchdog", "external"};
    const handover_page_t *page = handover_page();
    if (page == NULL) {
        mp_printf(&mp_plat_print, "firmware: no handover page: not started by the boot ROM\n");
    } else {
        mp_printf(&mp_plat_print, "firmware: version %u.%u.%u+%u, slot %u, %s, reset: %s\n", page->version_major,
            page->version_minor, page->version_revision, (unsigned)page->version_build, (unsigned)page->slot,
            page->is_trial ? "trial" : "confirmed", page->reset_reason < 4 ? reasons[page->reset_reason] : "unknown");
    }
    if (FIRSTBOOT_OPEN_CONSOLE) {
        mp_printf(&mp_plat_print, "firmware: DEVELOPMENT BUILD, THE CONSOLE IS OPEN. NOT FOR SALE.\n");
    }
    if (!entropy_is_ready()) {
        mp_printf(&mp_plat_print, "firmware: NO ENTROPY: no keys, no network\n");
    } else if (entropy_is_test_seed()) {
        mp_printf(&mp_plat_print, "firmware: FIXED TEST SEED: EVERY KEY CAN BE KNOWN. NOT FOR SALE.\n");
    }
}

static void python_init(void) {
    mp_cstack_init_with_top(&_stack_top, (size_t)((char *)&_stack_top - (char *)&_stack_bottom) - STACK_RESERVE_BYTES);
    gc_init(heap, heap + FIRSTBOOT_HEAP_BYTES);
    mp_init();
#if FIRSTBOOT_COLLECT_BYTES
    MP_STATE_MEM(gc_alloc_threshold) = FIRSTBOOT_COLLECT_BYTES / MICROPY_BYTES_PER_GC_BLOCK;
#endif
    // This is the whole path. Imports search a file system only after the verified application set is appended.
    mp_sys_path = mp_obj_new_list(0, NULL);
    mp_obj_list_append(mp_sys_path, MP_OBJ_NEW_QSTR(MP_QSTR__dot_frozen));
    mp_obj_list_init(MP_OBJ_TO_PTR(mp_sys_argv), 0);
}

int main(void) {
    time_init();
    uart_init();
    watchdog_feed();
    tls_memory_init();
    python_init();
    entropy_init();
    network_init();
    if (FIRSTBOOT_OPEN_CONSOLE) {
        uart_start_receive(UART_CONSOLE);
    }
    banner();
    pyexec_frozen_module(FIRSTBOOT_MAIN, FIRSTBOOT_OPEN_CONSOLE);
    if (FIRSTBOOT_OPEN_CONSOLE) {
        while ((pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? pyexec_raw_repl() : pyexec_friendly_repl()) == 0) {
        }
        board_reset(RUN_MARK_SOFTWARE);
    }
    board_fail("main ended");
}

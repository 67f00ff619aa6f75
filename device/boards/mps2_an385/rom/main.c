// The boot ROM around boot.c, which decides what starts: start-up, console, handover page, watchdog, jump.
#include <string.h>

#include "boot.h"
#include "console.h"
#include "image_keys.h"
#include "memory_map.h"
#include "nvm_layout.h"
#ifdef HAS_TRUSTZONE
#include "trustzone.h"
#endif

#define SCB_VTOR (*(volatile uint32_t *)0xE000ED08u)
#define RUN_MARK (*(volatile uint32_t *)RUN_MARK_ADDRESS)

extern uint32_t rom_data_load[], rom_data_start[], rom_data_end[], rom_bss_start[], rom_bss_end[], rom_stack_top[];

static const image_key_t IMAGE_KEYS[] = {IMAGE_KEYS_INIT};
#define IMAGE_KEY_COUNT (sizeof(IMAGE_KEYS) / sizeof(IMAGE_KEYS[0]))
_Static_assert(IMAGE_KEY_COUNT <= IMAGE_KEYS_MAX, "at most three image keys");

static void nvm_read(void *context, uint32_t offset, void *to, uint32_t bytes) {
    (void)context;
    memcpy(to, (const uint8_t *)NVM_ADDRESS + offset, bytes);
}

static void nvm_program_unit(void *context, uint32_t offset, const uint8_t *unit) {
    (void)context;
    volatile uint32_t *to = (volatile uint32_t *)(NVM_ADDRESS + offset);
    for (uint32_t word = 0; word < NVM_UNIT_BYTES / 4u; word++) {
        uint32_t value;
        memcpy(&value, unit + 4u * word, sizeof(value));
        to[word] &= value; // NOR: programming clears bits
    }
}

static image_status_t load(void *context, uint32_t slot, const unit_facts_t *facts, image_t *image) {
    (void)context;
    const image_source_t source = {
        .read = nvm_read,
        .code_ram = (uint8_t *)CODE_RAM_ADDRESS,
        .code_ram_bytes = CODE_RAM_END - CODE_RAM_ADDRESS,
        .keys = IMAGE_KEYS,
        .key_count = IMAGE_KEY_COUNT,
    };
    return image_load(&source, boot_slot_offset(slot), facts, image);
}

static void refused(void *context, uint32_t slot, image_status_t why) {
    (void)context;
    console_text("rom: slot ");
    console_number(slot);
    console_text(" refused: ");
    console_text(image_status_text(why));
    console_text("\n");
}

static uint32_t take_reset_reason(void) {
    uint32_t mark = RUN_MARK;
    RUN_MARK = 0u;
    ((receive_rings_t *)RINGS_ADDRESS)->magic = 0u; // until the next firmware writes its table
    switch (mark) {
        case RUN_MARK_SOFTWARE:
            return RESET_SOFTWARE;
        case RUN_MARK_WATCHDOG:
            return RESET_WATCHDOG;
        case RUN_MARK_RUNNING:
            return RESET_EXTERNAL;
        default:
            return RESET_POWER_ON;
    }
}

static void print_start(const boot_choice_t *choice) {
    const image_version_t *version = &choice->image.version;
    console_text("rom: slot ");
    console_number(choice->slot);
    console_text(choice->is_trial ? " trial, image " : " confirmed, image ");
    console_number(version->major);
    console_text(".");
    console_number(version->minor);
    console_text(".");
    console_number(version->revision);
    if (version->build != 0u) {
        console_text("+");
        console_number(version->build);
    }
    console_text(", counter ");
    console_number(choice->image.counter);
    console_text("\n");
}

static void write_handover(const boot_choice_t *choice, const unit_facts_t *facts, uint32_t reset_reason) {
    handover_page_t *page = (handover_page_t *)HANDOVER_ADDRESS;
    const image_t *image = &choice->image;
    *page = (handover_page_t){
        .magic = HANDOVER_MAGIC,
        .struct_version = HANDOVER_VERSION,
        .slot = choice->slot,
        .is_trial = choice->is_trial ? 1u : 0u,
        .reset_reason = reset_reason,
        .unit_counter = facts->counter,
        .is_locked = facts->is_locked ? 1u : 0u,
        .version_major = image->version.major,
        .version_minor = image->version.minor,
        .version_revision = image->version.revision,
        .version_build = image->version.build,
        .image_counter = image->counter,
        .image_bytes = image->total_bytes,
        .image_key = image->key,
        .image_key_count = IMAGE_KEY_COUNT,
    };
    memcpy(page->image_digest, image->digest, sizeof(page->image_digest));
    RUN_MARK = RUN_MARK_RUNNING;
}

static void watchdog_stop(void) {
    WATCHDOG_AT->lock = WATCHDOG_UNLOCK;
    WATCHDOG_AT->control = 0u;
    WATCHDOG_AT->clear = 1u;
}

static void watchdog_arm(void) {
    watchdog_stop();
    WATCHDOG_AT->load = WATCHDOG_LOAD;
    WATCHDOG_AT->control = 3u; // count and interrupt, then reset
    WATCHDOG_AT->lock = 0u;
}

static _Noreturn void jump(uint32_t vectors) {
    const uint32_t *table = (const uint32_t *)vectors;
    uint32_t stack = table[0];
    uint32_t entry = table[1];
    SCB_VTOR = vectors;
    __asm volatile("dsb\n isb\n msr msp, %0\n bx %1" : : "r"(stack), "r"(entry) : "memory");
    __builtin_unreachable();
}

static _Noreturn void halt(void) {
    watchdog_stop();
    for (;;) {
        __asm volatile("wfi");
    }
}

static _Noreturn void boot(void) {
    const boot_port_t port = {
        .read = nvm_read,
        .program_unit = nvm_program_unit,
        .load = load,
        .refused = refused,
    };
    watchdog_stop();
    console_start();
#ifdef HAS_TRUSTZONE
    if (!trustzone_all_secure()) {
        console_text("rom: memory is not secure: not booting\n");
        halt();
    }
#endif
    uint32_t reset_reason = take_reset_reason();
    unit_facts_t facts = boot_read_facts(&port);
    boot_choice_t choice = boot_decide(&port, &facts);
    if (!choice.is_found) {
        memset((void *)HANDOVER_ADDRESS, 0, sizeof(handover_page_t));
        console_text("rom: no valid image in either slot: not booting\n");
        halt();
    }
    print_start(&choice);
    write_handover(&choice, &facts, reset_reason);
    watchdog_arm();
    jump(IMAGE_LOAD_ADDRESS + IMAGE_HEADER_BYTES);
}

_Noreturn void reset_handler(void);
_Noreturn void reset_handler(void) {
    memcpy(rom_data_start, rom_data_load, (size_t)((uint8_t *)rom_data_end - (uint8_t *)rom_data_start));
    memset(rom_bss_start, 0, (size_t)((uint8_t *)rom_bss_end - (uint8_t *)rom_bss_start));
    boot();
}

// Nothing here should fault. If it does, the ROM stops and starts nothing.
static _Noreturn void fault_handler(void) {
    console_text("rom: fault: not booting\n");
    halt();
}

typedef void (*handler_t)(void);
__attribute__((section(".vectors"), used)) static const handler_t VECTORS[16] = {
    (handler_t)(uintptr_t)rom_stack_top,
    reset_handler,
    fault_handler, // NMI: the watchdog is armed only right before the jump
    fault_handler,
    fault_handler,
    fault_handler,
    fault_handler,
};

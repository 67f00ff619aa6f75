// The boot ROM's own code, measured: instead of starting an image this main verifies three of them and prints ticks.
// SysTick counts 25 MHz of guest time, so one tick is 40 instructions under `-icount shift=0`.
#include <string.h>

#include "boot.h"
#include "console.h"
#include "hss.h"
#include "image_keys.h"
#include "mbedtls/sha256.h"
#include "memory_map.h"
#include "nvm_layout.h"
#include "p256.h"

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define SYST_MAX 0xFFFFFFu
#define TLV_HEADER 4u
#define POINT_AT 27u // behind the SubjectPublicKeyInfo's prefix and the byte 04

extern uint32_t rom_data_load[], rom_data_start[], rom_data_end[], rom_bss_start[], rom_bss_end[], rom_stack_top[];

static const image_key_t IMAGE_KEYS[] = {IMAGE_KEYS_INIT};
static const uint32_t OFFSETS[] = {NVM_SLOT_OFFSET_0, NVM_SLOT_OFFSET_1, NVM_DEVICE_OFFSET};
static uint8_t *const RAM = (uint8_t *)CODE_RAM_ADDRESS;

static void nvm_read(void *context, uint32_t offset, void *to, uint32_t bytes) {
    (void)context;
    memcpy(to, (const uint8_t *)NVM_ADDRESS + offset, bytes);
}

static uint32_t ticks_since(uint32_t start) {
    return (start - SYST_CVR) & SYST_MAX;
}

static void say(const char *name, uint32_t ticks, uint32_t bytes) {
    console_text("BENCH ");
    console_text(name);
    console_text(" ");
    console_number(ticks);
    console_text(" ");
    console_number(bytes);
    console_text("\n");
}

static void fail(const char *what) {
    console_text("bench: failed: ");
    console_text(what);
    console_text("\n");
    for (;;) {
    }
}

static uint32_t get_u16(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

// The value of an unprotected TLV of the image in code RAM.
static const uint8_t *tlv(uint32_t wanted, uint32_t hashed, uint32_t *bytes) {
    uint32_t at = hashed + TLV_HEADER;
    while (get_u16(RAM + at) != wanted) {
        at += TLV_HEADER + get_u16(RAM + at + 2);
    }
    *bytes = get_u16(RAM + at + 2);
    return RAM + at + TLV_HEADER;
}

// The library's calls alone, on what image_load has just found in the same image.
static void bare_p256(const uint8_t *digest, uint32_t hashed) {
    uint32_t key_bytes, signature_bytes;
    const uint8_t *key = tlv(0x02, hashed, &key_bytes);
    const uint8_t *signature = tlv(0x22, hashed, &signature_bytes);
    uint8_t numbers[P256_SIGNATURE_BYTES];
    uint32_t start = SYST_CVR;
    bool is_read = p256_signature_from_der(signature, signature_bytes, numbers);
    p256_result_t result = p256_verify(key + POINT_AT, digest, numbers);
    say("boot-p256-bare", ticks_since(start), 0);
    if (!is_read || result != P256_VALID) {
        fail("p256");
    }
}

static void bare_hss(const char *name, const image_key_t *key, const uint8_t *digest, uint32_t hashed) {
    uint32_t bytes, detail;
    const uint8_t *signature = tlv(0xA0, hashed, &bytes);
    uint32_t start = SYST_CVR;
    hss_result_t result =
        hss_verify(key->hss, sizeof(key->hss), digest, IMAGE_DIGEST_BYTES, signature, bytes, &detail);
    say(name, ticks_since(start), bytes);
    if (result != HSS_VALID) {
        fail(name);
    }
}

static uint32_t measure_load(const char *name, uint32_t number, image_t *image) {
    const image_source_t source = {
        .read = nvm_read,
        .code_ram = RAM,
        .code_ram_bytes = CODE_RAM_END - CODE_RAM_ADDRESS,
        .keys = IMAGE_KEYS,
        .key_count = sizeof(IMAGE_KEYS) / sizeof(IMAGE_KEYS[0]),
    };
    const unit_facts_t facts = {0};
    uint32_t start = SYST_CVR;
    image_status_t status = image_load(&source, OFFSETS[number], &facts, image);
    say(name, ticks_since(start), image->total_bytes);
    if (status != IMAGE_OK) {
        fail(image_status_text(status));
    }
    uint32_t body = get_u16(RAM + 12) | get_u16(RAM + 14) << 16;
    return IMAGE_HEADER_BYTES + body + get_u16(RAM + 10);
}

static void run(void) {
    image_t image;
    uint8_t digest[IMAGE_DIGEST_BYTES];
    uint32_t hashed = measure_load("boot-load-p256", 0, &image);
    uint32_t start = SYST_CVR;
    mbedtls_sha256(RAM, hashed, digest, 0);
    say("boot-hash", ticks_since(start), hashed);
    bare_p256(digest, hashed);
    start = SYST_CVR;
    nvm_read(NULL, OFFSETS[0], RAM, image.total_bytes);
    say("boot-copy", ticks_since(start), image.total_bytes);
    hashed = measure_load("boot-load-p256-lms-w4", 1, &image);
    bare_hss("boot-lms-w4-bare", &IMAGE_KEYS[1], image.digest, hashed);
    hashed = measure_load("boot-load-p256-lms-w8", 2, &image);
    bare_hss("boot-lms-w8-bare", &IMAGE_KEYS[2], image.digest, hashed);
    console_text("bench: done\n");
}

_Noreturn void reset_handler(void);
_Noreturn void reset_handler(void) {
    memcpy(rom_data_start, rom_data_load, (size_t)((uint8_t *)rom_data_end - (uint8_t *)rom_data_start));
    memset(rom_bss_start, 0, (size_t)((uint8_t *)rom_bss_end - (uint8_t *)rom_bss_start));
    console_start();
    SYST_RVR = SYST_MAX;
    SYST_CVR = 0;
    SYST_CSR = 5u; // core clock, no interrupt
    run();
    for (;;) {
    }
}

typedef void (*handler_t)(void);
__attribute__((section(".vectors"), used)) static const handler_t VECTORS[2] = {
    (handler_t)(uintptr_t)rom_stack_top,
    reset_handler,
};

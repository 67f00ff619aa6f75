// The module _fbrp2 for the RP2350, for device/ports/rp2.py and rp2_otp.py, and entropy.h for _fbcrypto.
// COMPILED AND LINKED against pico-sdk 2.1.1, NEVER RUN ON A CHIP. Sources: RP2350 datasheet, the SDK's headers.
//
// Rules:
// 1. Flash is read at the addresses of the flash chip. The boot ROM maps the running slot to the start of the XIP
//    window, so an address of that window is somewhere else for slot B than for slot A.
// 2. What is written comes from RAM: the flash cannot be read while it is programmed, and constants lie in it.
// 3. Partitions are found by their number and their id (partitions.json); a foreign table is an error.
// 4. Every OTP row that is not for the lock or the counter is refused here, below Python.
#include <string.h>

#include "py/mperrno.h"
#include "py/ringbuf.h"
#include "py/runtime.h"
#include "extmod/vfs.h"

#include "boot/picobin.h"
#include "boot/picoboot_constants.h"
#include "hardware/flash.h"
#include "hardware/regs/otp.h"
#include "hardware/structs/watchdog.h"
#include "hardware/sync.h"
#include "pico/bootrom.h"

#include "rp2_flash.h"
#include "rp2350.h"

#ifndef FIRSTBOOT_PRODUCT
#define FIRSTBOOT_PRODUCT (0)
#endif

#define SLOTS (2)
#define PARTITIONS (5) // slot A, slot B, boot facts, device, user
#define ID_LOW (0x46420000u) // of partition 0; the number of the partition is added
#define ID_HIGH (0x46697273u)
#define REBOOT_DELAY_MS (10)
#define COUNTER_ROW (0x04e) // DEFAULT_BOOT_VERSION0 and 1, three rows each
#define COUNTER_ROWS (6)
#define LOCK_ROW (0xe80) // the first rows of page 58
#define LOCK_ROWS (3)
#define OTP_ROW_BITS (0xffffffu)

#if FIRSTBOOT_PRODUCT
// MicroPython has this only with a console. Nothing writes to it here, so a prompt would read nothing.
static uint8_t no_input[1];
ringbuf_t stdin_ringbuf = {no_input, sizeof(no_input), 0, 0};
#endif

// Work area of the boot ROM's calls: 3264 bytes for the partition table, a sector for the buy.
static uint8_t work_area[FLASH_SECTOR_SIZE] __attribute__((aligned(4)));

static void check(int error) {
    if (error < 0) {
        mp_raise_OSError(MP_EIO);
    }
}

// What started -------------------------------------------------------------------------------------------------
static void boot_info(boot_info_t *info) {
    if (!rom_get_boot_info(info)) {
        mp_raise_OSError(MP_EIO);
    }
}

typedef struct {
    uint32_t offset; // in the flash chip
    uint32_t size;
} range_t;

static range_t partition(unsigned number) {
    uint32_t words[5];
    const uint32_t asked = PT_INFO_SINGLE_PARTITION | PT_INFO_PARTITION_LOCATION_AND_FLAGS | PT_INFO_PARTITION_ID;
    check(rom_load_partition_table(work_area, sizeof(work_area), false));
    int count = rom_get_partition_table_info(words, MP_ARRAY_SIZE(words), asked | number << 24);
    check(count);
    if (count != (int)MP_ARRAY_SIZE(words) || words[0] != asked || !(words[2] & PICOBIN_PARTITION_FLAGS_HAS_ID_BITS)
        || words[3] != ID_LOW + number || words[4] != ID_HIGH) {
        mp_raise_OSError(MP_ENODEV);
    }
    const uint32_t first = words[1] & PICOBIN_PARTITION_LOCATION_FIRST_SECTOR_BITS;
    const uint32_t last = (words[1] & PICOBIN_PARTITION_LOCATION_LAST_SECTOR_BITS)
        >> PICOBIN_PARTITION_LOCATION_LAST_SECTOR_LSB;
    if (last < first || (last + 1) * FLASH_SECTOR_SIZE > PICO_FLASH_SIZE_BYTES) {
        mp_raise_OSError(MP_ENODEV);
    }
    return (range_t) {first * FLASH_SECTOR_SIZE, (last - first + 1) * FLASH_SECTOR_SIZE};
}

static unsigned slot(void) {
    boot_info_t info;
    boot_info(&info);
    if (info.partition < 0 || info.partition >= SLOTS) {
        mp_raise_OSError(MP_ENODEV); // the image does not lie in a partition
    }
    return (unsigned)info.partition;
}

static mp_obj_t fbrp2_slot(void) {
    return MP_OBJ_NEW_SMALL_INT(slot());
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbrp2_slot_obj, fbrp2_slot);

// True while the image is started for a trial and not bought.
static mp_obj_t fbrp2_is_trial(void) {
    boot_info_t info;
    boot_info(&info);
    return mp_obj_new_bool(info.tbyb_and_update_info & BOOT_TBYB_AND_UPDATE_FLAG_BUY_PENDING);
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbrp2_is_trial_obj, fbrp2_is_trial);

// True if this start should have been that of the other slot: the boot ROM refused its image.
static mp_obj_t fbrp2_is_refused(void) {
    boot_info_t info;
    boot_info(&info);
    const bool is_update = (info.boot_type & ~BOOT_TYPE_CHAINED_FLAG) == BOOT_TYPE_FLASH_UPDATE;
    return mp_obj_new_bool(is_update && info.reboot_params[0] != XIP_BASE + partition(slot()).offset);
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbrp2_is_refused_obj, fbrp2_is_refused);

static mp_obj_t fbrp2_is_product(void) {
    return mp_obj_new_bool(FIRSTBOOT_PRODUCT);
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbrp2_is_product_obj, fbrp2_is_product);

// Returns (secure boot is on, debug is off for secure code), as the OTP's critical flags say.
static mp_obj_t fbrp2_protection(void) {
    uint32_t words[2];
    if (rom_get_sys_info(words, MP_ARRAY_SIZE(words), SYS_INFO_CRITICAL) != (int)MP_ARRAY_SIZE(words)
        || words[0] != SYS_INFO_CRITICAL) {
        mp_raise_OSError(MP_EIO);
    }
    const uint32_t no_debug = OTP_CRITICAL_DEBUG_DISABLE_BITS | OTP_CRITICAL_SECURE_DEBUG_DISABLE_BITS;
    mp_obj_t pair[2] = {
        mp_obj_new_bool(words[1] & OTP_CRITICAL_SECURE_BOOT_ENABLE_BITS),
        mp_obj_new_bool(words[1] & no_debug),
    };
    return mp_obj_new_tuple(2, pair);
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbrp2_protection_obj, fbrp2_protection);

// 12 bytes: package, and the chip's number of 64 bits.
static mp_obj_t fbrp2_unique_id(void) {
    uint32_t words[4];
    if (rom_get_sys_info(words, MP_ARRAY_SIZE(words), SYS_INFO_CHIP_INFO) != (int)MP_ARRAY_SIZE(words)
        || words[0] != SYS_INFO_CHIP_INFO) {
        mp_raise_OSError(MP_EIO);
    }
    return mp_obj_new_bytes((const uint8_t *)&words[1], 12);
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbrp2_unique_id_obj, fbrp2_unique_id);

// Calls of the boot ROM ----------------------------------------------------------------------------------------
// The boot ROM stops the watchdog in this call and leaves it off, so it is started again here.
static mp_obj_t fbrp2_buy(void) {
    const uint32_t enabled = watchdog_hw->ctrl & WATCHDOG_CTRL_ENABLE_BITS;
    int error = rom_explicit_buy(work_area, sizeof(work_area));
    hw_set_bits(&watchdog_hw->ctrl, enabled);
    rp2_flash_set_timing();
    check(error);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbrp2_buy_obj, fbrp2_buy);

static unsigned number(mp_obj_t number_in, mp_int_t limit) {
    mp_int_t value = mp_obj_get_int(number_in);
    if (value < 0 || value >= limit) {
        mp_raise_ValueError(MP_ERROR_TEXT("number"));
    }
    return (unsigned)value;
}

// Does not return, unless the boot ROM refuses the call itself.
static mp_obj_t fbrp2_reboot_into(mp_obj_t slot_in) {
    const range_t range = partition(number(slot_in, SLOTS));
    rom_reboot(REBOOT2_FLAG_REBOOT_TYPE_FLASH_UPDATE | REBOOT2_FLAG_NO_RETURN_ON_SUCCESS, REBOOT_DELAY_MS,
        XIP_BASE + range.offset, 0);
    mp_raise_OSError(MP_EIO);
}
static MP_DEFINE_CONST_FUN_OBJ_1(fbrp2_reboot_into_obj, fbrp2_reboot_into);

// OTP ------------------------------------------------------------------------------------------------------------
static uint32_t row(mp_obj_t row_in) {
    mp_int_t value = mp_obj_get_int(row_in);
    if ((value < COUNTER_ROW || value >= COUNTER_ROW + COUNTER_ROWS)
        && (value < LOCK_ROW || value >= LOCK_ROW + LOCK_ROWS)) {
        mp_raise_ValueError(MP_ERROR_TEXT("row"));
    }
    return (uint32_t)value;
}

// The 24 bits of a row, without error correction.
static mp_obj_t fbrp2_otp_read(mp_obj_t row_in) {
    uint32_t bits = 0;
    check(rom_func_otp_access((uint8_t *)&bits, sizeof(bits), (otp_cmd_t) {row(row_in)}));
    return MP_OBJ_NEW_SMALL_INT(bits & OTP_ROW_BITS);
}
static MP_DEFINE_CONST_FUN_OBJ_1(fbrp2_otp_read_obj, fbrp2_otp_read);

// Sets the bits of `value` that are not set yet; OSError if the row holds another bit, or the chip refuses.
static mp_obj_t fbrp2_otp_write(mp_obj_t row_in, mp_obj_t value_in) {
    const uint32_t where = row(row_in);
    mp_int_t value = mp_obj_get_int(value_in);
    if (value < 0 || value > (mp_int_t)OTP_ROW_BITS) {
        mp_raise_ValueError(MP_ERROR_TEXT("value"));
    }
    uint32_t bits = (uint32_t)value;
    check(rom_func_otp_access((uint8_t *)&bits, sizeof(bits), (otp_cmd_t) {where | OTP_CMD_WRITE_BITS}));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(fbrp2_otp_write_obj, fbrp2_otp_write);

// Random numbers -----------------------------------------------------------------------------------------------
static mp_obj_t fbrp2_random(mp_obj_t count_in) {
    mp_int_t count = mp_obj_get_int(count_in);
    if (count < 0 || count > 65536) {
        mp_raise_ValueError(MP_ERROR_TEXT("0 to 65536 bytes"));
    }
    vstr_t vstr;
    vstr_init_len(&vstr, (size_t)count);
    if (entropy_random(NULL, (uint8_t *)vstr.buf, vstr.len) != 0) {
        mp_raise_OSError(MP_EIO);
    }
    return mp_obj_new_bytes_from_vstr(&vstr);
}
static MP_DEFINE_CONST_FUN_OBJ_1(fbrp2_random_obj, fbrp2_random);

// check_dates(bool): whether TLS checks the dates of certificates (rp2350.c).
static mp_obj_t fbrp2_check_dates(mp_obj_t is_checked) {
    rp2350_check_dates(mp_obj_is_true(is_checked));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(fbrp2_check_dates_obj, fbrp2_check_dates);

// Flash: a partition as a block device of 4096-byte sectors, extended protocol only ------------------------------
typedef struct {
    mp_obj_base_t base;
    range_t range;
} fbrp2_blocks_t;

// Returns the place of [sector * 4096 + offset, + length) in the flash chip.
static uint32_t place(mp_obj_t self_in, mp_obj_t sector_in, mp_obj_t offset_in, size_t length) {
    const range_t *range = &((fbrp2_blocks_t *)MP_OBJ_TO_PTR(self_in))->range;
    mp_int_t sector = mp_obj_get_int(sector_in), offset = mp_obj_get_int(offset_in);
    if (sector < 0 || (uint32_t)sector >= range->size / FLASH_SECTOR_SIZE || offset < 0
        || (uint32_t)offset > range->size - (uint32_t)sector * FLASH_SECTOR_SIZE
        || length > range->size - (uint32_t)sector * FLASH_SECTOR_SIZE - (uint32_t)offset) {
        mp_raise_OSError(MP_EINVAL);
    }
    return range->offset + (uint32_t)sector * FLASH_SECTOR_SIZE + (uint32_t)offset;
}

static mp_obj_t fbrp2_readblocks(size_t count, const mp_obj_t *args) {
    (void)count;
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(args[2], &buffer, MP_BUFFER_WRITE);
    const uint32_t at = place(args[0], args[1], args[3], buffer.len);
    memcpy(buffer.buf, (const void *)(XIP_NOCACHE_NOALLOC_NOTRANSLATE_BASE + at), buffer.len); // rule 1
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fbrp2_readblocks_obj, 4, 4, fbrp2_readblocks);

static mp_obj_t fbrp2_writeblocks(size_t count, const mp_obj_t *args) {
    (void)count;
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(args[2], &buffer, MP_BUFFER_READ);
    const uint32_t at = place(args[0], args[1], args[3], buffer.len);
    if (at % FLASH_PAGE_SIZE || buffer.len % FLASH_PAGE_SIZE) {
        mp_raise_OSError(MP_EINVAL);
    }
    for (size_t done = 0; done < buffer.len; done += FLASH_PAGE_SIZE) {
        uint8_t page[FLASH_PAGE_SIZE]; // rule 2
        memcpy(page, (const uint8_t *)buffer.buf + done, sizeof(page));
        const uint32_t state = save_and_disable_interrupts();
        flash_range_program(at + done, page, sizeof(page));
        restore_interrupts(state);
        rp2_flash_set_timing();
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fbrp2_writeblocks_obj, 4, 4, fbrp2_writeblocks);

static mp_obj_t fbrp2_ioctl(mp_obj_t self_in, mp_obj_t operation_in, mp_obj_t argument_in) {
    const range_t *range = &((fbrp2_blocks_t *)MP_OBJ_TO_PTR(self_in))->range;
    switch (mp_obj_get_int(operation_in)) {
        case MP_BLOCKDEV_IOCTL_INIT:
        case MP_BLOCKDEV_IOCTL_DEINIT:
        case MP_BLOCKDEV_IOCTL_SYNC:
            return MP_OBJ_NEW_SMALL_INT(0);
        case MP_BLOCKDEV_IOCTL_BLOCK_COUNT:
            return MP_OBJ_NEW_SMALL_INT(range->size / FLASH_SECTOR_SIZE);
        case MP_BLOCKDEV_IOCTL_BLOCK_SIZE:
            return MP_OBJ_NEW_SMALL_INT(FLASH_SECTOR_SIZE);
        case MP_BLOCKDEV_IOCTL_BLOCK_ERASE: {
            const uint32_t at = place(self_in, argument_in, MP_OBJ_NEW_SMALL_INT(0), FLASH_SECTOR_SIZE);
            const uint32_t state = save_and_disable_interrupts();
            flash_range_erase(at, FLASH_SECTOR_SIZE);
            restore_interrupts(state);
            rp2_flash_set_timing();
            return MP_OBJ_NEW_SMALL_INT(0);
        }
        default:
            return mp_const_none;
    }
}
static MP_DEFINE_CONST_FUN_OBJ_3(fbrp2_ioctl_obj, fbrp2_ioctl);

static const mp_rom_map_elem_t fbrp2_blocks_table[] = {
    {MP_ROM_QSTR(MP_QSTR_readblocks), MP_ROM_PTR(&fbrp2_readblocks_obj)},
    {MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&fbrp2_writeblocks_obj)},
    {MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&fbrp2_ioctl_obj)},
};
static MP_DEFINE_CONST_DICT(fbrp2_blocks, fbrp2_blocks_table);

static MP_DEFINE_CONST_OBJ_TYPE(fbrp2_blocks_type, MP_QSTR_Blocks, MP_TYPE_FLAG_NONE, locals_dict, &fbrp2_blocks);

// flash(number) -> the partition as a block device.
static mp_obj_t fbrp2_flash(mp_obj_t number_in) {
    const range_t range = partition(number(number_in, PARTITIONS));
    fbrp2_blocks_t *self = mp_obj_malloc(fbrp2_blocks_t, &fbrp2_blocks_type);
    self->range = range;
    return MP_OBJ_FROM_PTR(self);
}
static MP_DEFINE_CONST_FUN_OBJ_1(fbrp2_flash_obj, fbrp2_flash);

static const mp_rom_map_elem_t fbrp2_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__fbrp2)},
    {MP_ROM_QSTR(MP_QSTR_slot), MP_ROM_PTR(&fbrp2_slot_obj)},
    {MP_ROM_QSTR(MP_QSTR_is_trial), MP_ROM_PTR(&fbrp2_is_trial_obj)},
    {MP_ROM_QSTR(MP_QSTR_is_refused), MP_ROM_PTR(&fbrp2_is_refused_obj)},
    {MP_ROM_QSTR(MP_QSTR_is_product), MP_ROM_PTR(&fbrp2_is_product_obj)},
    {MP_ROM_QSTR(MP_QSTR_protection), MP_ROM_PTR(&fbrp2_protection_obj)},
    {MP_ROM_QSTR(MP_QSTR_unique_id), MP_ROM_PTR(&fbrp2_unique_id_obj)},
    {MP_ROM_QSTR(MP_QSTR_buy), MP_ROM_PTR(&fbrp2_buy_obj)},
    {MP_ROM_QSTR(MP_QSTR_reboot_into), MP_ROM_PTR(&fbrp2_reboot_into_obj)},
    {MP_ROM_QSTR(MP_QSTR_otp_read), MP_ROM_PTR(&fbrp2_otp_read_obj)},
    {MP_ROM_QSTR(MP_QSTR_otp_write), MP_ROM_PTR(&fbrp2_otp_write_obj)},
    {MP_ROM_QSTR(MP_QSTR_random), MP_ROM_PTR(&fbrp2_random_obj)},
    {MP_ROM_QSTR(MP_QSTR_check_dates), MP_ROM_PTR(&fbrp2_check_dates_obj)},
    {MP_ROM_QSTR(MP_QSTR_flash), MP_ROM_PTR(&fbrp2_flash_obj)},
};
static MP_DEFINE_CONST_DICT(fbrp2_globals, fbrp2_globals_table);

const mp_obj_module_t fbrp2_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&fbrp2_globals,
};
MP_REGISTER_MODULE(MP_QSTR__fbrp2, fbrp2_module);

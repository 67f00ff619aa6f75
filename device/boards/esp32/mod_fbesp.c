// The module _fbesp for ESP32-C3 and ESP32-S3, for device/ports/esp32_fuses.py, and entropy.h for _fbcrypto.
// NEVER BUILT WITH ESP-IDF by this project and NEVER RUN ON A CHIP: tests/ports/test_esp32_board.py only checks the
// syntax and the types, against declarations written from ESP-IDF's API reference.
#include <string.h>

#include "py/mperrno.h"
#include "py/runtime.h"

#include "esp_efuse.h"
#include "esp_efuse_table.h"
#include "esp_flash_encrypt.h"
#include "esp_hmac.h"
#include "esp_partition.h"
#include "esp_random.h"
#include "esp_secure_boot.h"
#include "esp_wifi.h"
#include "mbedtls/entropy.h"

#include "entropy.h"

#ifndef FIRSTBOOT_PRODUCT
#define FIRSTBOOT_PRODUCT (0)
#endif

#define BLOCK_BYTES (32)
#define COUNTER_MAX (16) // bits of SECURE_VERSION on both chips
#define UNIT_BYTES (32)
#define RAW_BYTES (512)

static void check(esp_err_t error) {
    if (error != ESP_OK) {
        mp_raise_OSError(MP_EIO);
    }
}

// Entropy -------------------------------------------------------------------------------------------------------
// The generator is a true one only while a radio is on (ESP-IDF, Random Number Generation).
bool entropy_is_ready(void) {
    wifi_mode_t mode = WIFI_MODE_NULL;
    return esp_wifi_get_mode(&mode) == ESP_OK && mode != WIFI_MODE_NULL;
}

int entropy_random(void *unused, unsigned char *data, size_t length) {
    (void)unused;
    if (!entropy_is_ready()) {
        return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
    }
    esp_fill_random(data, length);
    return 0;
}

// What the build and the chip are -----------------------------------------------------------------------------
static mp_obj_t fbesp_is_product(void) {
    return mp_obj_new_bool(FIRSTBOOT_PRODUCT);
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbesp_is_product_obj, fbesp_is_product);

// Returns (secure boot is on, flash encryption is on), as the eFuses say.
static mp_obj_t fbesp_protection(void) {
    mp_obj_t pair[2] = {mp_obj_new_bool(esp_secure_boot_enabled()), mp_obj_new_bool(esp_flash_encryption_enabled())};
    return mp_obj_new_tuple(2, pair);
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbesp_protection_obj, fbesp_protection);

// Factory lock --------------------------------------------------------------------------------------------------
// A block that cannot be read is not empty: an error locks, it never unlocks.
static mp_obj_t fbesp_is_locked(void) {
    return mp_obj_new_bool(!esp_efuse_block_is_empty(EFUSE_BLK3));
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbesp_is_locked_obj, fbesp_is_locked);

// One burn: the block and its write protection together.
static mp_obj_t fbesp_lock(mp_obj_t content_in) {
    mp_buffer_info_t content;
    mp_get_buffer_raise(content_in, &content, MP_BUFFER_READ);
    if (content.len != BLOCK_BYTES) {
        mp_raise_ValueError(MP_ERROR_TEXT("lock length"));
    }
    if (!esp_efuse_block_is_empty(EFUSE_BLK3)) {
        mp_raise_OSError(MP_EPERM);
    }
    check(esp_efuse_batch_write_begin());
    esp_err_t error = esp_efuse_write_block(EFUSE_BLK3, content.buf, 0, BLOCK_BYTES * 8);
    if (error == ESP_OK) {
        error = esp_efuse_set_write_protect(EFUSE_BLK3);
    }
    if (error != ESP_OK) {
        esp_efuse_batch_write_cancel();
        mp_raise_OSError(MP_EIO);
    }
    check(esp_efuse_batch_write_commit());
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(fbesp_lock_obj, fbesp_lock);

// Security counter: the number of bits that are set -----------------------------------------------------------
static size_t counter(void) {
    size_t count = 0;
    check(esp_efuse_read_field_cnt(ESP_EFUSE_SECURE_VERSION, &count));
    return count;
}

static mp_obj_t fbesp_counter(void) {
    return MP_OBJ_NEW_SMALL_INT(counter());
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbesp_counter_obj, fbesp_counter);

static mp_obj_t fbesp_raise_counter(mp_obj_t value_in) {
    mp_int_t value = mp_obj_get_int(value_in);
    if (value < 0 || value > COUNTER_MAX) {
        mp_raise_ValueError(MP_ERROR_TEXT("security counter"));
    }
    size_t have = counter();
    if ((size_t)value > have) {
        check(esp_efuse_write_field_cnt(ESP_EFUSE_SECURE_VERSION, (size_t)value - have));
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(fbesp_raise_counter_obj, fbesp_raise_counter);

// Key store -------------------------------------------------------------------------------------------------------
// Returns the number of the key block (0 to 5) with the purpose HMAC_UP that nobody can read, None without one.
static mp_obj_t fbesp_hmac_block(void) {
    esp_efuse_block_t block;
    if (!esp_efuse_find_purpose(ESP_EFUSE_KEY_PURPOSE_HMAC_UP, &block) || !esp_efuse_get_key_dis_read(block)) {
        return mp_const_none;
    }
    return MP_OBJ_NEW_SMALL_INT(block - EFUSE_BLK_KEY0);
}
static MP_DEFINE_CONST_FUN_OBJ_0(fbesp_hmac_block_obj, fbesp_hmac_block);

static mp_obj_t fbesp_hmac(mp_obj_t block_in, mp_obj_t data_in) {
    mp_int_t block = mp_obj_get_int(block_in);
    if (block < HMAC_KEY0 || block >= HMAC_KEY_MAX) {
        mp_raise_ValueError(MP_ERROR_TEXT("key block"));
    }
    mp_buffer_info_t data;
    mp_get_buffer_raise(data_in, &data, MP_BUFFER_READ);
    uint8_t digest[BLOCK_BYTES];
    check(esp_hmac_calculate((hmac_key_id_t)block, data.buf, data.len, digest));
    return mp_obj_new_bytes(digest, sizeof(digest));
}
static MP_DEFINE_CONST_FUN_OBJ_2(fbesp_hmac_obj, fbesp_hmac);

// Flash under encryption ------------------------------------------------------------------------------------------
static bool is_blank(const uint8_t *data, size_t length) {
    for (size_t at = 0; at < length; at++) {
        if (data[at] != 0xFF) {
            return false;
        }
    }
    return true;
}

// Puts 0xFF over every unit of [offset, offset + length) that is blank in the raw flash.
static void blank_units(const esp_partition_t *partition, size_t offset, uint8_t *data, size_t length) {
    uint8_t raw[RAW_BYTES];
    const size_t end = offset + length;
    for (size_t base = offset - offset % UNIT_BYTES; base < end; base += RAW_BYTES) {
        const size_t size = MIN((size_t)RAW_BYTES, partition->size - base);
        check(esp_partition_read_raw(partition, base, raw, size));
        for (size_t unit = 0; unit < size && base + unit < end; unit += UNIT_BYTES) {
            if (is_blank(raw + unit, UNIT_BYTES)) {
                const size_t from = MAX(base + unit, offset), to = MIN(base + unit + UNIT_BYTES, end);
                if (from < to) {
                    memset(data + (from - offset), 0xFF, to - from);
                }
            }
        }
    }
}

// read(label, offset, buffer): the decrypted content, 0xFF where nothing was written since the erase.
static mp_obj_t fbesp_read(mp_obj_t label_in, mp_obj_t offset_in, mp_obj_t buffer_in) {
    const esp_partition_t *partition =
        esp_partition_find_first(ESP_PARTITION_TYPE_ANY, ESP_PARTITION_SUBTYPE_ANY, mp_obj_str_get_str(label_in));
    mp_int_t offset = mp_obj_get_int(offset_in);
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(buffer_in, &buffer, MP_BUFFER_WRITE);
    if (partition == NULL || offset < 0 || (size_t)offset > partition->size
        || buffer.len > partition->size - (size_t)offset) {
        mp_raise_OSError(MP_EINVAL);
    }
    check(esp_partition_read(partition, (size_t)offset, buffer.buf, buffer.len));
    blank_units(partition, (size_t)offset, buffer.buf, buffer.len);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(fbesp_read_obj, fbesp_read);

static const mp_rom_map_elem_t fbesp_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__fbesp)},
    {MP_ROM_QSTR(MP_QSTR_is_product), MP_ROM_PTR(&fbesp_is_product_obj)},
    {MP_ROM_QSTR(MP_QSTR_protection), MP_ROM_PTR(&fbesp_protection_obj)},
    {MP_ROM_QSTR(MP_QSTR_is_locked), MP_ROM_PTR(&fbesp_is_locked_obj)},
    {MP_ROM_QSTR(MP_QSTR_lock), MP_ROM_PTR(&fbesp_lock_obj)},
    {MP_ROM_QSTR(MP_QSTR_counter), MP_ROM_PTR(&fbesp_counter_obj)},
    {MP_ROM_QSTR(MP_QSTR_raise_counter), MP_ROM_PTR(&fbesp_raise_counter_obj)},
    {MP_ROM_QSTR(MP_QSTR_hmac_block), MP_ROM_PTR(&fbesp_hmac_block_obj)},
    {MP_ROM_QSTR(MP_QSTR_hmac), MP_ROM_PTR(&fbesp_hmac_obj)},
    {MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&fbesp_read_obj)},
};
static MP_DEFINE_CONST_DICT(fbesp_globals, fbesp_globals_table);

const mp_obj_module_t fbesp_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&fbesp_globals,
};
MP_REGISTER_MODULE(MP_QSTR__fbesp, fbesp_module);

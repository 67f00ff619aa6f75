#pragma once
#include "esp_err.h"

typedef enum { EFUSE_BLK3 = 3, EFUSE_BLK_KEY0 = 4, EFUSE_BLK_KEY_MAX = 10 } esp_efuse_block_t;
typedef enum { ESP_EFUSE_KEY_PURPOSE_HMAC_UP = 8 } esp_efuse_purpose_t;
typedef struct {
    int block;
} esp_efuse_desc_t;

bool esp_efuse_block_is_empty(esp_efuse_block_t block);
esp_err_t esp_efuse_batch_write_begin(void);
esp_err_t esp_efuse_batch_write_cancel(void);
esp_err_t esp_efuse_batch_write_commit(void);
esp_err_t esp_efuse_write_block(esp_efuse_block_t blk, const void *src_key, size_t offset_in_bits, size_t size_bits);
esp_err_t esp_efuse_set_write_protect(esp_efuse_block_t blk);
esp_err_t esp_efuse_read_field_cnt(const esp_efuse_desc_t *field[], size_t *out_cnt);
esp_err_t esp_efuse_write_field_cnt(const esp_efuse_desc_t *field[], size_t cnt);
bool esp_efuse_find_purpose(esp_efuse_purpose_t purpose, esp_efuse_block_t *block);
bool esp_efuse_get_key_dis_read(esp_efuse_block_t block);

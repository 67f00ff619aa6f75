#pragma once
#include "esp_efuse.h"
extern const esp_efuse_desc_t *ESP_EFUSE_SECURE_VERSION[];

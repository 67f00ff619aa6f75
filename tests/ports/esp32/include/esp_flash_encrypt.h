#pragma once
#include "esp_err.h"
bool esp_flash_encryption_enabled(void);

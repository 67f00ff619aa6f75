#pragma once
#include "esp_err.h"
bool esp_secure_boot_enabled(void);

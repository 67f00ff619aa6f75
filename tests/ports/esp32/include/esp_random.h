#pragma once
#include "esp_err.h"
void esp_fill_random(void *buf, size_t len);

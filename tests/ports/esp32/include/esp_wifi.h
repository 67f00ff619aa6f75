#pragma once
#include "esp_err.h"
typedef enum { WIFI_MODE_NULL = 0, WIFI_MODE_STA } wifi_mode_t;
esp_err_t esp_wifi_get_mode(wifi_mode_t *mode);

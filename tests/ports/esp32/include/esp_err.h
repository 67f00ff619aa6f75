// Declarations for a check of types, written from ESP-IDF's API reference: not ESP-IDF's own headers.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int esp_err_t;
#define ESP_OK 0

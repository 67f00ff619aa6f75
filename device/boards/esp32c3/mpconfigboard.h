// ESP32-C3 for Firstboot. The variant PRODUCT has no console on any line.
#define MICROPY_HW_BOARD_NAME "Firstboot ESP32-C3"
#define MICROPY_HW_MCU_NAME "ESP32C3"

#include "../esp32/console.h"

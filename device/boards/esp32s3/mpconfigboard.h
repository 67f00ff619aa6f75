// ESP32-S3 for Firstboot. The variant PRODUCT has no console on any line.
#define MICROPY_HW_BOARD_NAME "Firstboot ESP32-S3"
#define MICROPY_HW_MCU_NAME "ESP32S3"

#include "../esp32/console.h"

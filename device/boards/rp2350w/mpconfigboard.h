// RP2350 with the radio of a Pico 2 W for Firstboot. A build with FIRSTBOOT_PRODUCT has no console on any line.
#define MICROPY_HW_BOARD_NAME "Firstboot RP2350 W"

#include "../rp2350/board.h"

#define CYW43_USE_SPI (1)
#define CYW43_LWIP (1)
#define CYW43_GPIO (1)
#define CYW43_SPI_PIO (1)

#define MICROPY_HW_PIN_EXT_COUNT CYW43_WL_GPIO_COUNT

int mp_hal_is_pin_reserved(int n);
#define MICROPY_HW_PIN_RESERVED(i) mp_hal_is_pin_reserved(i)

// RP2350 without a radio (Pico 2) for Firstboot. A build with FIRSTBOOT_PRODUCT has no console on any line.
#define MICROPY_HW_BOARD_NAME "Firstboot RP2350"

#include "../rp2350/board.h"

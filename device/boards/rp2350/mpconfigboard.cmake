# RP2350 without a radio (Pico 2). MicroPython's ports/rp2 reads this file; MICROPY_BOARD_DIR names this folder.
set(PICO_BOARD pico2)
include(${CMAKE_CURRENT_LIST_DIR}/common.cmake)

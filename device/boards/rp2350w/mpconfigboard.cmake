# RP2350 with the radio of a Pico 2 W. MicroPython's ports/rp2 reads this file; MICROPY_BOARD_DIR names this folder.
# The driver (lib/cyw43-driver) is not in Debian. Its licence allows commercial use only on chips of Raspberry Pi.
set(PICO_BOARD pico2_w)
set(MICROPY_PY_NETWORK_CYW43 ON)
include(${CMAKE_CURRENT_LIST_DIR}/../rp2350/common.cmake)

# The driver's configuration names a header of the SDK's own driver folder.
include_directories(SYSTEM ${MICROPY_DIR}/lib/pico-sdk/src/rp2_common/pico_cyw43_driver/include)

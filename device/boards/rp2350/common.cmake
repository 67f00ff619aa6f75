# Settings that the boards with an RP2350 share. The board's mpconfigboard.cmake sets PICO_BOARD first.
set(PICO_PLATFORM rp2350-arm-s)
set(MICROPY_PY_LWIP ON)
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
set(MBEDTLS_CONFIG_FILE fbcrypto_mbedtls.h)
include_directories(${CMAKE_CURRENT_LIST_DIR}/../../cmodules/fbcrypto)

# The SDK's flash calls otherwise wait for a second core, which never runs here; no C++ of ours allocates.
add_compile_definitions(
    PICO_FLASH_ASSUME_CORE1_SAFE=1
    PICO_CXX_DISABLE_ALLOCATION_OVERRIDES=1
)
if(FIRSTBOOT_PRODUCT)
    list(APPEND MICROPY_DEF_BOARD FIRSTBOOT_PRODUCT=1)
endif()

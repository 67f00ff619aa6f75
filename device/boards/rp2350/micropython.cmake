# The C modules of the RP2350 boards: _fbrp2, and _fbcrypto. USER_C_MODULES names this file.
add_library(usermod_fbrp2 INTERFACE)
target_sources(usermod_fbrp2 INTERFACE ${CMAKE_CURRENT_LIST_DIR}/mod_fbrp2.c ${CMAKE_CURRENT_LIST_DIR}/rp2350.c)
target_include_directories(usermod_fbrp2 INTERFACE
    ${CMAKE_CURRENT_LIST_DIR}/../../cmodules/fbcrypto
    ${PICO_SDK_PATH}/src/common/boot_picobin_headers/include
    ${PICO_SDK_PATH}/src/common/boot_picoboot_headers/include
    ${PICO_SDK_PATH}/src/rp2_common/hardware_resets/include
)
set_source_files_properties(
    ${CMAKE_CURRENT_LIST_DIR}/mod_fbrp2.c
    ${CMAKE_CURRENT_LIST_DIR}/rp2350.c
    PROPERTIES COMPILE_OPTIONS "-Wall;-Wextra;-Wno-unused-parameter;-Werror"
)
target_link_options(usermod_fbrp2 INTERFACE
    -Wl,--wrap=mbedtls_hardware_poll
    -Wl,--wrap=mbedtls_x509_time_cmp
)
target_link_libraries(usermod INTERFACE usermod_fbrp2)
include(${CMAKE_CURRENT_LIST_DIR}/../../cmodules/fbcrypto/micropython.cmake)

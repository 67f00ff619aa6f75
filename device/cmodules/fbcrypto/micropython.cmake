# The module _fbcrypto for ports that are built with CMake: USER_C_MODULES names this file.
# The port supplies entropy.h's two functions, and Mbed TLS with the options that fbcrypto.h checks. Set FBCRYPTO_P256_M
# if Mbed TLS is not in MicroPython's own tree (ESP-IDF has it in components/mbedtls/mbedtls).
if(NOT DEFINED FBCRYPTO_P256_M)
    set(FBCRYPTO_P256_M ${MICROPY_DIR}/lib/mbedtls/3rdparty/p256-m/p256-m)
endif()
add_library(usermod_fbcrypto INTERFACE)
target_sources(usermod_fbcrypto INTERFACE
    ${CMAKE_CURRENT_LIST_DIR}/mod_fbcrypto.c
    ${CMAKE_CURRENT_LIST_DIR}/aes_ccm.c
    ${CMAKE_CURRENT_LIST_DIR}/ccm.c
    ${CMAKE_CURRENT_LIST_DIR}/pbkdf2.c
    ${CMAKE_CURRENT_LIST_DIR}/hss.c
    ${CMAKE_CURRENT_LIST_DIR}/p256.c
    ${CMAKE_CURRENT_LIST_DIR}/tls_verify.c
    ${CMAKE_CURRENT_LIST_DIR}/mod_cbor.c
    ${CMAKE_CURRENT_LIST_DIR}/cbor_check.c
    ${CMAKE_CURRENT_LIST_DIR}/mod_scan.c
    ${CMAKE_CURRENT_LIST_DIR}/mod_oscore.c
    ${CMAKE_CURRENT_LIST_DIR}/oscore.c
)
target_include_directories(usermod_fbcrypto INTERFACE ${CMAKE_CURRENT_LIST_DIR})
target_include_directories(usermod_fbcrypto SYSTEM INTERFACE ${FBCRYPTO_P256_M})
target_link_libraries(usermod INTERFACE usermod_fbcrypto)

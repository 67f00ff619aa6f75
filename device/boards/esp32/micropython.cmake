# The C modules of the ESP32 boards: _fbesp, and _fbcrypto with Mbed TLS of ESP-IDF. USER_C_MODULES names this file.
# Not yet run: no ESP-IDF is here.
if(NOT DEFINED FBCRYPTO_P256_M)
    set(FBCRYPTO_P256_M $ENV{IDF_PATH}/components/mbedtls/mbedtls/3rdparty/p256-m/p256-m)
endif()
add_library(usermod_fbesp INTERFACE)
target_sources(usermod_fbesp INTERFACE ${CMAKE_CURRENT_LIST_DIR}/mod_fbesp.c)
target_include_directories(usermod_fbesp INTERFACE ${CMAKE_CURRENT_LIST_DIR}/../../cmodules/fbcrypto)
target_link_libraries(usermod INTERFACE usermod_fbesp)
include(${CMAKE_CURRENT_LIST_DIR}/../../cmodules/fbcrypto/micropython.cmake)

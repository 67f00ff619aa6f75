# Settings that both chips share. The board's mpconfigboard.cmake sets IDF_TARGET and FIRSTBOOT_PARTITIONS first.
# A release sets its version and its security counter (1 to 16) on the command line; the image carries both.
if(NOT DEFINED FIRSTBOOT_VERSION)
    set(FIRSTBOOT_VERSION "0.0.0+0")
endif()
if(NOT DEFINED FIRSTBOOT_SECURITY_COUNTER)
    set(FIRSTBOOT_SECURITY_COUNTER 1)
endif()

set(MICROPY_PY_TINYUSB OFF)
set(FIRSTBOOT_ESP32_DIR ${CMAKE_CURRENT_LIST_DIR})
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)

# Values that depend on the command line or on a path; the sdkconfig files themselves have none.
set(FIRSTBOOT_SDKCONFIG ${CMAKE_BINARY_DIR}/sdkconfig.firstboot)
file(WRITE ${FIRSTBOOT_SDKCONFIG}
    "\nCONFIG_APP_PROJECT_VER=\"${FIRSTBOOT_VERSION}\"\n"
    "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME=\"${FIRSTBOOT_ESP32_DIR}/${FIRSTBOOT_PARTITIONS}\"\n"
)
set(SDKCONFIG_DEFAULTS
    boards/sdkconfig.base
    ${FIRSTBOOT_ESP32_DIR}/sdkconfig.board
    ${MICROPY_BOARD_DIR}/sdkconfig.chip
    ${FIRSTBOOT_SDKCONFIG}
)

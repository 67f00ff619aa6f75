include(${MICROPY_BOARD_DIR}/../esp32/product.cmake)

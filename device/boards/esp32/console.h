// Console and radio of every ESP32 board. The variant PRODUCT has no console: no line reaches the prompt.
#define MICROPY_HW_ENABLE_USBDEV (0)
#define MICROPY_HW_USB_CDC (0)
#if FIRSTBOOT_PRODUCT
#define MICROPY_HW_ENABLE_UART_REPL (0)
#define MICROPY_HW_ESP_USB_SERIAL_JTAG (0)
#else
#define MICROPY_HW_ENABLE_UART_REPL (1)
#endif

#define MICROPY_PY_BLUETOOTH (0) // CONFIG_BT_ENABLED=n in sdkconfig.board

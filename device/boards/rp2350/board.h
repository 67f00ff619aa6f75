// What the boards with an RP2350 share.
#define MICROPY_PY_NETWORK (1)
#define MICROPY_PY_NETWORK_HOSTNAME_DEFAULT "firstboot"
#define MICROPY_PY_THREAD (0) // the second core stays off: flash is written without asking it
#define MICROPY_PY_WEBREPL (0)
#define MICROPY_HW_FLASH_STORAGE_BYTES (0) // every region is a partition of the boot ROM's table (partitions.json)

// No USB and no serial prompt in a product.
#if FIRSTBOOT_PRODUCT
#define MICROPY_HW_ENABLE_USBDEV (0)
#define MICROPY_HW_ENABLE_UART_REPL (0)
#endif

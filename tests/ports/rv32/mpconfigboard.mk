# MicroPython's qemu port for the machine `virt` with a 32-bit RISC-V, as the dual tests need it.
QEMU_ARCH = riscv32
QEMU_MACHINE = virt
MICROPY_HEAP_SIZE = 1966080
MICROPY_PY_SSL = 1
MICROPY_SSL_MBEDTLS = 1
MBEDTLS_CONFIG_FILE := \"rv32_mbedtls.h\"

CFLAGS += -DQEMU_SOC_VIRT -DMICROPY_HW_MCU_NAME='"$(RV32_ARCH)"' -I$(BOARD_DIR) \
	-DMP_CONFIGFILE=\"rv32_config.h\"
LDSCRIPT = mcu/rv32/virt.ld
SRC_BOARD_O += shared/runtime/gchelper_native.o shared/runtime/gchelper_rv32i.o
SRC_C += rv32_port.c
vpath %.c $(BOARD_DIR)
# The compiler's libraries have no folder for the name that ends in _zicsr. The last -march counts, and LIBS is last.
LIBS = -march=rv32imac
$(BUILD)/lib/mbedtls/library/%.o: CFLAGS += -Wno-error

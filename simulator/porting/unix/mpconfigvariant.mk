# MicroPython's unix port with our C module, for the porting checklist and for the dual tests: nothing that Debian would add.
FROZEN_MANIFEST ?= $(error FROZEN_MANIFEST is not set)
PROG ?= micropython
MICROPY_PY_FFI = 0
MICROPY_PY_BTREE = 0
MICROPY_PY_TERMIOS = 0
MICROPY_PY_THREAD = 0
MICROPY_USE_READLINE = 0
MBEDTLS_CONFIG_FILE := \"fbcrypto_mbedtls.h\"

# MicroPython's unix port as the dual tests need it: our C module, our frozen files, nothing that Debian would add.
FROZEN_MANIFEST ?= $(error FROZEN_MANIFEST is not set)
PROG = dual
MICROPY_PY_FFI = 0
MICROPY_PY_BTREE = 0
MICROPY_PY_TERMIOS = 0
MICROPY_PY_THREAD = 0
MICROPY_USE_READLINE = 0
MBEDTLS_CONFIG_FILE := \"fbcrypto_mbedtls.h\"

# The module _fbcrypto for ports that are built with make: USER_C_MODULES names the folder above this one.
# The port supplies entropy.h's two functions, and Mbed TLS with the options that fbcrypto.h checks.
FBCRYPTO_DIR := $(USERMOD_DIR)
FBCRYPTO_P256_M ?= $(TOP)/lib/mbedtls/3rdparty/p256-m/p256-m
SRC_USERMOD_C += $(addprefix $(FBCRYPTO_DIR)/,mod_fbcrypto.c aes_ccm.c ccm.c pbkdf2.c hss.c p256.c tls_verify.c mod_cbor.c cbor_check.c mod_scan.c \
	mod_oscore.c oscore.c)
CFLAGS_USERMOD += -I$(FBCRYPTO_DIR) -isystem $(FBCRYPTO_P256_M)

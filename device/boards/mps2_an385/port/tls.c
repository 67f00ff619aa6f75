// What the board gives to Mbed TLS: an arena of its own, and the length of records.
//
// Rules:
// 1. Mbed TLS never allocates from the Python heap: its buffers would break the heap into pieces, and its need is
//    bounded apart (TLS_ARENA_BYTES in board.py).
// 2. If there is no room, a collection ends sockets and contexts that nobody refers to any more, and the request is
//    tried once more. Then it fails: Mbed TLS reports it, and the connection that asked gets an error.
// 3. A client asks its server for records that fit into the buffer (RFC 6066 4).
#include <string.h>

#include "mbedtls/ssl.h"
#include "py/gc.h"

#include "arena.h"
#include "board.h"

static _Alignas(8) uint8_t memory[TLS_ARENA_BYTES];

void tls_memory_init(void) {
    arena_init(memory, sizeof(memory));
}

void *tls_calloc(size_t count, size_t size) {
    if (size != 0 && count > TLS_ARENA_BYTES / size) {
        return NULL;
    }
    void *data = arena_alloc(count * size);
    if (data == NULL && !gc_is_locked()) { // locked: this is called by a finaliser
        gc_collect();
        data = arena_alloc(count * size);
    }
    return data == NULL ? NULL : memset(data, 0, count * size);
}

void tls_free(void *data) {
    if (!arena_free(data)) {
        board_fail("TLS memory is damaged");
    }
}

int __real_mbedtls_ssl_config_defaults(mbedtls_ssl_config *config, int endpoint, int transport, int preset);
int __wrap_mbedtls_ssl_config_defaults(mbedtls_ssl_config *config, int endpoint, int transport, int preset);

// Called for every SSLContext of Python; the linker puts it in place of Mbed TLS's function (Makefile, --wrap).
int __wrap_mbedtls_ssl_config_defaults(mbedtls_ssl_config *config, int endpoint, int transport, int preset) {
    int error = __real_mbedtls_ssl_config_defaults(config, endpoint, transport, preset);
    if (error == 0 && endpoint == MBEDTLS_SSL_IS_CLIENT) {
        error = mbedtls_ssl_conf_max_frag_len(config, MBEDTLS_SSL_MAX_FRAG_LEN_4096);
    }
    return error;
}

// cbor_check.c on the host. As a program it answers each record of standard input with one line: the number of the
// result and the offset. A record is a length (4 bytes, little endian), then a limit of entries (2 bytes, little
// endian), the deepest nesting, whether keys may be arrays, and the data. As a library it is called by ctypes.
#include <stdio.h>
#include <stdlib.h>

#include "cbor_check.h"

int host_cbor(const uint8_t *data, size_t length, size_t entries, unsigned depth, bool has_array_keys, size_t *offset) {
    cbor_limits_t limits = {entries, depth, has_array_keys};
    return (int)cbor_check(data, length, &limits, offset);
}

int main(void) {
    uint8_t length[4], head[4];
    while (fread(length, 1, sizeof(length), stdin) == sizeof(length)) {
        size_t bytes = length[0] | (size_t)length[1] << 8;
        uint8_t *data = malloc(bytes); // of exactly this size, so that a byte read after its end is noticed
        if (data == NULL || fread(head, 1, sizeof(head), stdin) != sizeof(head) || fread(data, 1, bytes, stdin) != bytes) {
            return 1;
        }
        size_t offset = 0;
        int result = host_cbor(data, bytes, head[0] | (size_t)head[1] << 8, head[2], head[3] != 0, &offset);
        if (result == CBOR_GOOD) {
            const uint8_t *at = data;
            cbor_argument(&at);
        }
        printf("%d %zu\n", result, offset);
        free(data);
    }
    return 0;
}

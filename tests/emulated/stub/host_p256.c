// p256.c on the host: answers each record of standard input with one line. A record is a length (4 bytes, little
// endian) and its bytes: 'v', point, digest, signature, answered by the result of p256_verify; or 'd' and a DER
// signature, answered by its 64 bytes in hex or by "no".
#include <stdio.h>
#include <stdlib.h>

#include "p256.h"

#define VERIFY_BYTES (1 + P256_POINT_BYTES + P256_DIGEST_BYTES + P256_SIGNATURE_BYTES)

static void answer(const uint8_t *record, size_t bytes) {
    if (record[0] == 'v' && bytes == VERIFY_BYTES) {
        const uint8_t *digest = record + 1 + P256_POINT_BYTES;
        printf("%d\n", p256_verify(record + 1, digest, digest + P256_DIGEST_BYTES));
        return;
    }
    uint8_t signature[P256_SIGNATURE_BYTES];
    if (!p256_signature_from_der(record + 1, bytes - 1, signature)) {
        printf("no\n");
        return;
    }
    for (unsigned i = 0; i < sizeof(signature); i++) {
        printf("%02x", signature[i]);
    }
    printf("\n");
}

int main(void) {
    uint8_t length[4];
    while (fread(length, 1, sizeof(length), stdin) == sizeof(length)) {
        size_t bytes = length[0] | (size_t)length[1] << 8;
        uint8_t *record = malloc(bytes); // of exactly this size, so that a byte read after its end is noticed
        if (record == NULL || fread(record, 1, bytes, stdin) != bytes) {
            return 1;
        }
        answer(record, bytes);
        free(record);
    }
    return 0;
}

// ccm.c and oscore.c on the host: answers each record of standard input with one line. A record is a kind, a length (4
// bytes, little endian) and its bytes:
//   'e', 'd'  key (16), nonce (13), bytes of a tag (1) and of additional data (2, little endian), additional data, text:
//             the sealed text in hex, or the opened one, or "no"
//   'o'       options and payload: "number:value" of each and the payload, or "no"
//   'n'       IV (13), bytes of an id (1), id, partial IV: nonce and additional data
#include <stdio.h>
#include <stdlib.h>

#include "oscore.h"

static void print_hex(const uint8_t *data, size_t length) {
    for (size_t i = 0; i < length; i++) {
        printf("%02x", data[i]);
    }
}

static void answer_ccm(int kind, const uint8_t *record, size_t bytes) {
    size_t aad_bytes = record[30] | (size_t)record[31] << 8;
    ccm_t ccm = {record, record + 16, record + 32, aad_bytes, record[29]};
    const uint8_t *text = record + 32 + aad_bytes;
    size_t length = bytes - 32 - aad_bytes;
    size_t made = kind == 'e' ? length + ccm.tag_bytes : length - ccm.tag_bytes;
    uint8_t *out = malloc(made); // of exactly this size
    int error = kind == 'e' ? ccm_seal(&ccm, text, length, out) : ccm_open(&ccm, text, made, out);
    if (error) {
        printf("no");
    } else {
        print_hex(out, made);
    }
    free(out);
}

static void answer_options(const uint8_t *record, size_t bytes) {
    coap_options_t options = {record, record + bytes, 0, {NULL, 0}};
    coap_next_t next;
    while ((next = coap_next(&options)) == COAP_OPTION) {
        printf("%u:", (unsigned)options.number);
        print_hex(options.value.at, options.value.length);
        printf(" ");
    }
    if (next == COAP_BROKEN) {
        printf("no");
    } else {
        print_hex(options.value.at, options.value.length);
    }
}

static void answer_nonce(const uint8_t *record, size_t bytes) {
    bytes_t id = {record + 14, record[13]}, piv = {record + 14 + id.length, bytes - 14 - id.length};
    uint8_t nonce[CCM_NONCE_BYTES], aad[OSCORE_MAX_AAD];
    oscore_nonce(record, id, piv, nonce);
    print_hex(nonce, sizeof(nonce));
    print_hex(aad, oscore_aad(id, piv, aad));
}

int main(void) {
    uint8_t head[5];
    while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
        size_t bytes = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16;
        uint8_t *record = malloc(bytes); // of exactly this size, so that a byte read after its end is noticed
        if ((record == NULL && bytes > 0) || fread(record, 1, bytes, stdin) != bytes) {
            return 1;
        }
        if (head[0] == 'o') {
            answer_options(record, bytes);
        } else if (head[0] == 'n') {
            answer_nonce(record, bytes);
        } else {
            answer_ccm(head[0], record, bytes);
        }
        printf("\n");
        free(record);
    }
    return 0;
}

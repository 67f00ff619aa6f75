// The rules of device/codec/cbor.py, without an object and without recursion.
#ifndef FIRSTBOOT_CBOR_CHECK_H
#define FIRSTBOOT_CBOR_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CBOR_MAX_DEPTH (32)

// Major types (RFC 8949 3.1), and the simple values that are allowed.
#define CBOR_UINT (0)
#define CBOR_NEGATIVE (1)
#define CBOR_BYTES (2)
#define CBOR_TEXT (3)
#define CBOR_ARRAY (4)
#define CBOR_MAP (5)
#define CBOR_TAG (6)
#define CBOR_SIMPLE (7)
#define CBOR_FALSE (0xF4)
#define CBOR_TRUE (0xF5)
#define CBOR_NULL (0xF6)

// device/codec/cbor.py has the text of each number, in this order.
typedef enum {
    CBOR_TRUNCATED,
    CBOR_AFTER_THE_ITEM,
    CBOR_BAD_KEY,
    CBOR_KEY_ORDER,
    CBOR_NOT_SHORTEST,
    CBOR_INDEFINITE,
    CBOR_RESERVED,
    CBOR_FLOAT,
    CBOR_OTHER_SIMPLE,
    CBOR_NOT_UTF8,
    CBOR_NESTING,
    CBOR_ENTRIES,
    CBOR_GOOD,
} cbor_result_t;

// What one message may contain.
typedef struct {
    size_t entries; // of all arrays and maps, keys and values counted
    unsigned depth; // containers around one item and that item, at most CBOR_MAX_DEPTH
    bool has_array_keys;
} cbor_limits_t;

// Returns whether `data` is exactly one item that follows the rules; otherwise the first broken rule, and where.
cbor_result_t cbor_check(const uint8_t *data, size_t length, const cbor_limits_t *limits, size_t *offset);

// Returns the argument of the item at *at, and moves *at to what follows it. The item has been checked.
uint64_t cbor_argument(const uint8_t **at);

#endif

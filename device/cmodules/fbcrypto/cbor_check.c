// Checks CBOR as device/codec/cbor_reader.py does, its reference: the same order, reasons and offsets.
#include "cbor_check.h"

#include <string.h>

// An open container.
typedef struct {
    size_t left;                  // items that it still lacks, keys and values counted
    size_t key;                   // of a map: where the present key begins
    size_t before, before_length; // of a map: the encoded key before; its length is 0 before the first
    uint8_t major;
    bool is_of_bytes; // of an array: all its items are byte strings
} container_t;

typedef struct {
    const uint8_t *data;
    size_t length;
    size_t at;
    size_t entries; // that the message may still contain
    const cbor_limits_t *limits;
    container_t open[CBOR_MAX_DEPTH];
    unsigned depth;
} check_t;

// RFC 3629 4: no overlong forms, no surrogates, nothing above U+10FFFF.
static bool is_utf8(const uint8_t *text, size_t length) {
    size_t at = 0;
    while (at < length) {
        uint8_t first = text[at++];
        if (first < 0x80) {
            continue;
        }
        unsigned more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
        if (first < 0xC2 || first > 0xF4 || more > length - at) {
            return false;
        }
        uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        if (text[at] < low || text[at] > high) {
            return false;
        }
        for (unsigned i = 1; i < more; i++) {
            if ((text[at + i] & 0xC0) != 0x80) {
                return false;
            }
        }
        at += more;
    }
    return true;
}

// Reads the initial byte and the argument of the item at `at`.
static cbor_result_t read_head(check_t *check, uint64_t *number) {
    size_t at = check->at + 1;
    unsigned info = check->data[check->at] & 0x1F;
    *number = info;
    if (info >= 24) {
        if (info > 27) {
            return info == 31 ? CBOR_INDEFINITE : CBOR_RESERVED;
        }
        size_t size = (size_t)1 << (info - 24);
        if (size > check->length - at) {
            return CBOR_TRUNCATED;
        }
        uint64_t value = 0;
        for (size_t i = 0; i < size; i++) {
            value = value << 8 | check->data[at + i];
        }
        // A shorter form could hold the number; one below 24 fits into the initial byte.
        if (value < 24 || (size > 1 && value >> (4 * size) == 0)) {
            return CBOR_NOT_SHORTEST;
        }
        *number = value;
        at += size;
    }
    check->at = at;
    return CBOR_GOOD;
}

static cbor_result_t read_simple(check_t *check) {
    uint8_t initial = check->data[check->at++];
    if (initial == CBOR_NULL || initial == CBOR_TRUE || initial == CBOR_FALSE) {
        return CBOR_GOOD;
    }
    return initial >= 0xF9 && initial <= 0xFB ? CBOR_FLOAT : CBOR_OTHER_SIMPLE;
}

static cbor_result_t open_container(check_t *check, uint8_t major, uint64_t number) {
    if (check->depth >= check->limits->depth) {
        return CBOR_NESTING;
    }
    size_t fits = major == CBOR_MAP ? check->entries / 2 : check->entries;
    if (major == CBOR_TAG) {
        number = 1;
    }
    if (number > fits) {
        return CBOR_ENTRIES;
    }
    size_t entries = (size_t)number * (major == CBOR_MAP ? 2 : 1);
    check->entries -= entries;
    container_t *inner = &check->open[check->depth++];
    memset(inner, 0, sizeof(*inner));
    inner->left = entries;
    inner->major = major;
    inner->is_of_bytes = true;
    return CBOR_GOOD;
}

// Reads one item, of a container the head only. `major` receives its major type; *offset is where it begins.
static cbor_result_t read_item(check_t *check, uint8_t *major, size_t *offset) {
    size_t start = check->at;
    *offset = start;
    if (start >= check->length) {
        return CBOR_TRUNCATED;
    }
    *major = check->data[start] >> 5;
    if (*major == CBOR_SIMPLE) {
        return read_simple(check);
    }
    uint64_t number;
    cbor_result_t result = read_head(check, &number);
    if (result != CBOR_GOOD || *major <= CBOR_NEGATIVE) {
        return result;
    }
    if (*major > CBOR_TEXT) {
        return open_container(check, *major, number);
    }
    if (number > check->length - check->at) {
        return CBOR_TRUNCATED;
    }
    const uint8_t *content = check->data + check->at;
    check->at += (size_t)number;
    return *major == CBOR_TEXT && !is_utf8(content, (size_t)number) ? CBOR_NOT_UTF8 : CBOR_GOOD;
}

static cbor_result_t check_key(check_t *check, container_t *map, bool is_good, size_t *offset) {
    const uint8_t *key = check->data + map->key, *before = check->data + map->before;
    size_t length = check->at - map->key;
    *offset = map->key;
    if (!is_good) {
        return CBOR_BAD_KEY;
    }
    int order = memcmp(before, key, length < map->before_length ? length : map->before_length);
    if (order > 0 || (order == 0 && map->before_length >= length)) { // equal: the key occurs twice
        return CBOR_KEY_ORDER;
    }
    map->before = map->key;
    map->before_length = length;
    return CBOR_GOOD;
}

// Counts a complete item of type `major` in the containers around it, and closes those that it completes.
static cbor_result_t complete(check_t *check, uint8_t major, bool is_of_bytes, size_t *offset) {
    while (check->depth > 0) {
        container_t *inner = &check->open[check->depth - 1];
        inner->left--;
        if (inner->major == CBOR_ARRAY) {
            inner->is_of_bytes = inner->is_of_bytes && major == CBOR_BYTES;
        } else if (inner->major == CBOR_MAP && (inner->left & 1) != 0) {
            cbor_result_t result = check_key(check, inner, major != CBOR_ARRAY || is_of_bytes, offset);
            if (result != CBOR_GOOD) {
                return result;
            }
        }
        if (inner->left != 0) {
            return CBOR_GOOD;
        }
        major = inner->major;
        is_of_bytes = inner->is_of_bytes;
        check->depth--;
    }
    return CBOR_GOOD;
}

// Notes where a map's key begins, if a key comes now.
static cbor_result_t begin_key(check_t *check, size_t *offset) {
    if (check->depth == 0) {
        return CBOR_GOOD;
    }
    container_t *inner = &check->open[check->depth - 1];
    if (inner->major != CBOR_MAP || (inner->left & 1) != 0) {
        return CBOR_GOOD;
    }
    inner->key = *offset = check->at;
    uint8_t major = check->at < check->length ? check->data[check->at] >> 5 : CBOR_UINT;
    return major > CBOR_TEXT && !(major == CBOR_ARRAY && check->limits->has_array_keys) ? CBOR_BAD_KEY : CBOR_GOOD;
}

cbor_result_t cbor_check(const uint8_t *data, size_t length, const cbor_limits_t *limits, size_t *offset) {
    check_t check = {.data = data, .length = length, .entries = limits->entries, .limits = limits};
    do {
        uint8_t major = CBOR_UINT;
        unsigned depth = check.depth;
        cbor_result_t result = begin_key(&check, offset);
        result = result != CBOR_GOOD ? result : read_item(&check, &major, offset);
        if (result != CBOR_GOOD) {
            return result;
        }
        if (check.depth > depth) {
            if (check.open[depth].left != 0) {
                continue;
            }
            check.depth = depth; // an empty container is complete
        }
        result = complete(&check, major, true, offset);
        if (result != CBOR_GOOD) {
            return result;
        }
    } while (check.depth > 0);
    *offset = check.at;
    return check.at == length ? CBOR_GOOD : CBOR_AFTER_THE_ITEM;
}

uint64_t cbor_argument(const uint8_t **at) {
    const uint8_t *from = *at;
    uint64_t number = *from++ & 0x1F;
    if (number >= 24) {
        size_t size = (size_t)1 << (number - 24);
        number = 0;
        while (size-- > 0) {
            number = number << 8 | *from++;
        }
    }
    *at = from;
    return number;
}

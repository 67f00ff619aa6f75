// _fbcrypto.scan: the places of the parts of CBOR in a known form. Its reference is device/codec/scanner.py.
#include "cbor_check.h"
#include "fbcrypto.h"

#include <string.h>

#define MOST_FOUND (8)

// What is left: at <= end, both inside the data.
typedef struct {
    const uint8_t *at, *end;
} scan_t;

static bool go_past(scan_t *scan, uint64_t length) {
    if (length > (size_t)(scan->end - scan->at)) {
        return false;
    }
    scan->at += (size_t)length;
    return true;
}

// Reads the argument of a head of this major type in its shortest form.
static bool read_number(scan_t *scan, unsigned major, uint64_t *number) {
    const uint8_t *head = scan->at;
    if (!go_past(scan, 1) || (unsigned)(*head >> 5) != major) {
        return false;
    }
    unsigned info = *head & 0x1F;
    if (info < 24) {
        *number = info;
        return true;
    }
    if (info > 27 || !go_past(scan, (uint64_t)1 << (info - 24))) {
        return false;
    }
    size_t size = (size_t)(scan->at - head) - 1;
    *number = cbor_argument(&head);
    return *number >= 24 && (size == 1 || *number >> (4 * size) != 0);
}

// Reads a part that is not constant. Writes what is found, and returns how many values; 0 if the data is of another form.
static size_t read_part(scan_t *scan, mp_int_t part, const uint8_t *data, mp_obj_t found[2]) {
    uint64_t length = (uint64_t)part;
    if (part == CBOR_UINT) {
        bool is_there = read_number(scan, CBOR_UINT, &length);
        found[0] = is_there ? fbcrypto_unsigned(length) : mp_const_none;
        return is_there ? 1 : 0;
    }
    if (part == CBOR_BYTES && !read_number(scan, CBOR_BYTES, &length)) {
        return 0;
    }
    found[0] = MP_OBJ_NEW_SMALL_INT(scan->at - data);
    if (!go_past(scan, length)) {
        return 0;
    }
    found[1] = MP_OBJ_NEW_SMALL_INT(scan->at - data);
    return part == CBOR_BYTES ? 2 : 1;
}

// scan(data, start, end, parts): a tuple, or None for another form. Raises ValueError for arguments that make no sense.
static mp_obj_t fbcrypto_scan(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    mp_buffer_info_t data, constant;
    mp_get_buffer_raise(args[0], &data, MP_BUFFER_READ);
    mp_int_t start = mp_obj_get_int(args[1]), end = mp_obj_get_int(args[2]);
    if (start < 0 || end < start || (size_t)end > data.len) {
        mp_raise_ValueError(MP_ERROR_TEXT("scan range"));
    }
    scan_t scan = {(const uint8_t *)data.buf + start, (const uint8_t *)data.buf + end};
    mp_obj_t *parts, found[MOST_FOUND];
    size_t count, used = 0;
    mp_obj_get_array(args[3], &count, &parts);
    for (size_t i = 0; i < count; i++) {
        if (mp_obj_is_small_int(parts[i])) {
            mp_int_t part = MP_OBJ_SMALL_INT_VALUE(parts[i]);
            if (part < 0 || used > MOST_FOUND - 2) {
                mp_raise_ValueError(MP_ERROR_TEXT("scan parts"));
            }
            size_t more = read_part(&scan, part, data.buf, found + used);
            if (more == 0) {
                return mp_const_none;
            }
            used += more;
            continue;
        }
        mp_get_buffer_raise(parts[i], &constant, MP_BUFFER_READ);
        const uint8_t *from = scan.at;
        if (!go_past(&scan, constant.len) || memcmp(from, constant.buf, constant.len) != 0) {
            return mp_const_none;
        }
    }
    return scan.at == scan.end ? mp_obj_new_tuple(used, found) : mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_scan_obj, 4, 4, fbcrypto_scan);

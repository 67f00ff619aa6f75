// _fbcrypto.cbor_decode: strict CBOR, checked as a whole (cbor_check.c) before the first object is made.
#include "cbor_check.h"
#include "fbcrypto.h"

#include "py/objlist.h"
#include "py/runtime.h"
#include "py/smallint.h"

// A message that was checked, so that nothing here can fail but an allocation.
typedef struct {
    const uint8_t *at;
    mp_obj_t tag; // the class of a tagged value
} reader_t;

static mp_obj_t read_value(reader_t *reader);

mp_obj_t fbcrypto_unsigned(uint64_t number) {
    return number <= MP_SMALL_INT_POSITIVE_MASK ? MP_OBJ_NEW_SMALL_INT((mp_int_t)number)
                                                : mp_obj_new_int_from_ull(number);
}

static mp_obj_t negative_object(uint64_t number) {
    if (number <= MP_SMALL_INT_POSITIVE_MASK) {
        return MP_OBJ_NEW_SMALL_INT(-1 - (mp_int_t)number);
    }
    return mp_binary_op(MP_BINARY_OP_SUBTRACT, MP_OBJ_NEW_SMALL_INT(-1), mp_obj_new_int_from_ull(number));
}

static mp_obj_t read_array(reader_t *reader, size_t count) {
    mp_obj_list_t *list = MP_OBJ_TO_PTR(mp_obj_new_list(count, NULL));
    for (size_t i = 0; i < count; i++) {
        list->items[i] = read_value(reader);
    }
    return MP_OBJ_FROM_PTR(list);
}

static mp_obj_t read_map(reader_t *reader, size_t count) {
    mp_obj_t dict = mp_obj_new_dict(count);
    for (size_t i = 0; i < count; i++) {
        mp_obj_t key = read_value(reader);
        if (mp_obj_is_type(key, &mp_type_list)) {
            size_t parts;
            mp_obj_t *items;
            mp_obj_list_get(key, &parts, &items);
            key = mp_obj_new_tuple(parts, items);
        }
        mp_obj_dict_store(dict, key, read_value(reader));
    }
    return dict;
}

// Recursion is bounded: the check counted the levels.
static mp_obj_t read_value(reader_t *reader) {
    uint8_t initial = *reader->at;
    if (initial >= CBOR_FALSE) {
        reader->at++;
        return initial == CBOR_NULL ? mp_const_none : mp_obj_new_bool(initial == CBOR_TRUE);
    }
    uint64_t number = cbor_argument(&reader->at);
    const uint8_t *content = reader->at;
    switch (initial >> 5) {
        case CBOR_UINT:
            return fbcrypto_unsigned(number);
        case CBOR_NEGATIVE:
            return negative_object(number);
        case CBOR_BYTES:
            reader->at += (size_t)number;
            return mp_obj_new_bytes(content, (size_t)number);
        case CBOR_TEXT:
            reader->at += (size_t)number;
            return mp_obj_new_str((const char *)content, (size_t)number);
        case CBOR_ARRAY:
            return read_array(reader, (size_t)number);
        case CBOR_MAP:
            return read_map(reader, (size_t)number);
        default: {
            mp_obj_t parts[2] = {fbcrypto_unsigned(number), read_value(reader)};
            return mp_call_function_n_kw(reader->tag, 2, 0, parts);
        }
    }
}

// cbor_decode(data, entries, depth, has_array_keys, tag): the value. Raises ValueError(number of the reason, offset).
static mp_obj_t fbcrypto_cbor_decode(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    mp_buffer_info_t data;
    mp_get_buffer_raise(args[0], &data, MP_BUFFER_READ);
    mp_int_t entries = mp_obj_get_int(args[1]);
    mp_int_t depth = mp_obj_get_int(args[2]);
    if (entries < 0 || depth < 0 || depth > CBOR_MAX_DEPTH) {
        mp_raise_TypeError(MP_ERROR_TEXT("CBOR limits"));
    }
    cbor_limits_t limits = {(size_t)entries, (unsigned)depth, mp_obj_is_true(args[3])};
    size_t offset;
    cbor_result_t result = cbor_check(data.buf, data.len, &limits, &offset);
    if (result != CBOR_GOOD) {
        mp_obj_t reason[2] = {MP_OBJ_NEW_SMALL_INT(result), MP_OBJ_NEW_SMALL_INT((mp_int_t)offset)};
        nlr_raise(mp_obj_new_exception_args(&mp_type_ValueError, 2, reason));
    }
    reader_t reader = {data.buf, args[4]};
    return read_value(&reader);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_cbor_decode_obj, 5, 5, fbcrypto_cbor_decode);

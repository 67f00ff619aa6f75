// _fbcrypto.coap_options, oscore_protect and oscore_unprotect: the usual messages of a transfer in one call each. What is
// not usual, and every fault but a wrong tag, gives None: device/net/coap.py and oscore.py, the references, then do
// the work or name the reason.
#include <string.h>

#include "fbcrypto.h"
#include "oscore.h"

#include "py/objtuple.h"

// Options (RFC 7252 5.10, RFC 8613 2) and the code of a protected request (RFC 8613 4.2).
#define URI_HOST (3)
#define URI_PORT (7)
#define OSCORE (9)
#define POST (2)
#define FLAG_KID_CONTEXT (0x10)
#define FLAG_KID (0x08)
#define MAX_TOKEN (8)

// The fields of the namedtuples in device/net: Context, Binding, Message.
enum { SENDER_ID, RECIPIENT_ID, ID_CONTEXT, SENDER_KEY, RECIPIENT_KEY, COMMON_IV, CONTEXT_FIELDS };
enum { BINDING_KID, BINDING_PIV, BINDING_FIELDS };
enum { MTYPE, CODE, MESSAGE_ID, TOKEN, OPTIONS, PAYLOAD, MESSAGE_FIELDS };

// The items of a tuple or namedtuple. The way it is iterated tells both from every other object.
static const mp_obj_t *fields_of(mp_obj_t obj, size_t count) {
    bool is_tuple = MP_OBJ_TYPE_GET_SLOT_OR_NULL(mp_obj_get_type(obj), iter) == mp_obj_tuple_getiter;
    const mp_obj_tuple_t *tuple = is_tuple ? MP_OBJ_TO_PTR(obj) : NULL;
    if (tuple == NULL || tuple->len != count) {
        mp_raise_TypeError(MP_ERROR_TEXT("OSCORE fields"));
    }
    return tuple->items;
}

static bytes_t bytes_of(mp_obj_t obj) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(obj, &info, MP_BUFFER_READ);
    return (bytes_t) {info.buf, info.len};
}

// An option of a message that Python made: (number, value).
static uint32_t option_of(mp_obj_t obj, bytes_t *value) {
    const mp_obj_t *pair = fields_of(obj, 2);
    *value = bytes_of(pair[1]);
    mp_int_t number = mp_obj_get_int(pair[0]);
    return number < 0 || number > 0xFFFF ? UINT32_MAX : (uint32_t)number;
}

static bool is_outer(uint32_t number) { // RFC 8613 4.1.3, class U
    return number == URI_HOST || number == URI_PORT;
}

// (options, payload) of the bytes from `at` on, as device.net.coap.decode_options gives them; None for a fault.
static mp_obj_t options_of(const uint8_t *at, const uint8_t *end, size_t most) {
    coap_options_t options = {at, end, 0, {NULL, 0}};
    size_t count = 0;
    coap_next_t next = coap_next(&options);
    for (; next == COAP_OPTION; next = coap_next(&options)) {
        count++;
    }
    if (next == COAP_BROKEN || count > most) {
        return mp_const_none;
    }
    mp_obj_t both[2];
    mp_obj_tuple_t *found = MP_OBJ_TO_PTR(mp_obj_new_tuple(count, NULL));
    both[0] = MP_OBJ_FROM_PTR(found);
    options = (coap_options_t) {at, end, 0, {NULL, 0}};
    for (size_t i = 0; i < count; i++) {
        coap_next(&options);
        mp_obj_t pair[2] = {MP_OBJ_NEW_SMALL_INT((mp_int_t)options.number),
                            mp_obj_new_bytes(options.value.at, options.value.length)};
        found->items[i] = mp_obj_new_tuple(2, pair);
    }
    coap_next(&options);
    both[1] = mp_obj_new_bytes(options.value.at, options.value.length);
    return mp_obj_new_tuple(2, both);
}

// coap_options(data, offset, most): (options, payload), or None.
static mp_obj_t fbcrypto_coap_options(mp_obj_t data_in, mp_obj_t offset_in, mp_obj_t most_in) {
    bytes_t data = bytes_of(data_in);
    mp_int_t offset = mp_obj_get_int(offset_in), most = mp_obj_get_int(most_in);
    if (!mp_obj_is_type(data_in, &mp_type_bytes) || offset < 0 || (size_t)offset > data.length || most < 0) {
        return mp_const_none;
    }
    return options_of(data.at + offset, data.at + data.length, (size_t)most);
}
MP_DEFINE_CONST_FUN_OBJ_3(fbcrypto_coap_options_obj, fbcrypto_coap_options);

// Writes the inner message (RFC 8613 5.3) to `out`, if it is not NULL. Returns its length, 0 if it is not usual.
static size_t inner_message(const mp_obj_t *request, uint8_t *out) {
    size_t count, length = 1;
    mp_obj_t *options;
    mp_obj_get_array(request[OPTIONS], &count, &options);
    mp_int_t code = mp_obj_get_int(request[CODE]);
    if (code < 0 || code > 0xFF) {
        return 0;
    }
    if (out != NULL) {
        out[0] = (uint8_t)code;
    }
    uint32_t last = 0;
    for (size_t i = 0; i < count; i++) {
        bytes_t value;
        uint32_t number = option_of(options[i], &value);
        if (number == UINT32_MAX || number < last || is_outer(number) || value.length > 0xFFFF) {
            return 0;
        }
        length += coap_option_head(number - last, value.length, out == NULL ? NULL : out + length);
        if (out != NULL && value.length > 0) {
            memcpy(out + length, value.at, value.length);
        }
        length += value.length;
        last = number;
    }
    bytes_t payload = bytes_of(request[PAYLOAD]);
    if (payload.length > 0) {
        if (out != NULL) {
            out[length] = 0xFF;
            memcpy(out + length + 1, payload.at, payload.length);
        }
        length += 1 + payload.length;
    }
    return length;
}

// RFC 8613 6.1: the compressed COSE object of a request. Returns its length; `out` may be NULL.
static size_t oscore_option(bytes_t piv, bytes_t kid, mp_obj_t context_in, uint8_t *out) {
    bytes_t context = {NULL, 0};
    bool has_context = context_in != mp_const_none;
    if (has_context) {
        context = bytes_of(context_in);
    }
    if (out != NULL) {
        *out++ = (uint8_t)(piv.length | FLAG_KID | (has_context ? FLAG_KID_CONTEXT : 0));
        memcpy(out, piv.at, piv.length);
        out += piv.length;
        if (has_context) {
            *out++ = (uint8_t)context.length;
            memcpy(out, context.at, context.length);
            out += context.length;
        }
        memcpy(out, kid.at, kid.length);
    }
    return 1 + piv.length + (has_context ? 1 + context.length : 0) + kid.length;
}

// Sets what AES-CCM needs for a message with this key; `aad` receives the additional data.
static void ccm_of(ccm_t *ccm, bytes_t key, bytes_t kid, bytes_t piv, const uint8_t *nonce, uint8_t aad[OSCORE_MAX_AAD]) {
    *ccm = (ccm_t) {key.at, nonce, aad, oscore_aad(kid, piv, aad), OSCORE_TAG_BYTES};
}

// oscore_protect(context, request, partial_iv, limit): the datagram with the protected request (8.1), or None.
static mp_obj_t fbcrypto_oscore_protect(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    const mp_obj_t *context = fields_of(args[0], CONTEXT_FIELDS), *request = fields_of(args[1], MESSAGE_FIELDS);
    bytes_t piv = bytes_of(args[2]), kid = bytes_of(context[SENDER_ID]), key = bytes_of(context[SENDER_KEY]);
    bytes_t iv = bytes_of(context[COMMON_IV]), token = bytes_of(request[TOKEN]);
    mp_int_t limit = mp_obj_get_int(args[3]), mtype = mp_obj_get_int(request[MTYPE]);
    mp_int_t message_id = mp_obj_get_int(request[MESSAGE_ID]);
    size_t inner = inner_message(request, NULL);
    bool is_usual = piv.length <= OSCORE_PIV_BYTES && kid.length <= OSCORE_ID_BYTES && key.length == CCM_KEY_BYTES
        && iv.length == CCM_NONCE_BYTES && token.length <= MAX_TOKEN && mtype >= 0 && mtype <= 3 && message_id >= 0
        && message_id <= 0xFFFF && inner != 0
        && (context[ID_CONTEXT] == mp_const_none || bytes_of(context[ID_CONTEXT]).length <= 0xFF);
    if (!is_usual) {
        return mp_const_none;
    }
    size_t option = oscore_option(piv, kid, context[ID_CONTEXT], NULL);
    size_t head = 4 + token.length + coap_option_head(OSCORE, option, NULL) + option + 1;
    if (limit < 0 || head + inner + OSCORE_TAG_BYTES > (size_t)limit) {
        return mp_const_none;
    }
    vstr_t out;
    vstr_init_len(&out, head + inner + OSCORE_TAG_BYTES);
    uint8_t *at = (uint8_t *)out.buf;
    *at++ = (uint8_t)(0x40 | (unsigned)mtype << 4 | token.length);
    *at++ = POST;
    *at++ = (uint8_t)(message_id >> 8);
    *at++ = (uint8_t)message_id;
    memcpy(at, token.at, token.length);
    at += token.length;
    at += coap_option_head(OSCORE, option, at);
    at += oscore_option(piv, kid, context[ID_CONTEXT], at);
    *at++ = 0xFF;
    inner_message(request, at);
    uint8_t nonce[CCM_NONCE_BYTES], aad[OSCORE_MAX_AAD];
    ccm_t ccm;
    oscore_nonce(iv.at, kid, piv, nonce);
    ccm_of(&ccm, key, kid, piv, nonce, aad);
    int error = ccm_seal(&ccm, at, inner, at);
    if (error) {
        fbcrypto_raise(error);
    }
    return mp_obj_new_bytes_from_vstr(&out);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_oscore_protect_obj, 4, 4, fbcrypto_oscore_protect);

// Finds the one OSCORE option of a response, and its partial IV if it has nothing else. False if it is not usual.
static bool response_piv(mp_obj_t options_in, bytes_t *piv) {
    size_t count;
    mp_obj_t *options;
    mp_obj_get_array(options_in, &count, &options);
    bool is_found = false;
    for (size_t i = 0; i < count; i++) {
        bytes_t value;
        uint32_t number = option_of(options[i], &value);
        if (number != OSCORE) {
            if (number == UINT32_MAX || ((number & 1) != 0 && !is_outer(number))) {
                return false;
            }
            continue;
        }
        if (is_found) {
            return false;
        }
        is_found = true;
        *piv = (bytes_t) {NULL, 0};
        if (value.length > 0) {
            if (value.at[0] == 0 || value.at[0] > OSCORE_PIV_BYTES || value.length != 1u + value.at[0]) {
                return false;
            }
            *piv = (bytes_t) {value.at + 1, value.length - 1};
        }
    }
    return is_found;
}

// oscore_unprotect(context, binding, response, most): (code, options, payload) of a protected response (8.4), or None.
// Raises ValueError for a wrong tag.
static mp_obj_t fbcrypto_oscore_unprotect(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    const mp_obj_t *context = fields_of(args[0], CONTEXT_FIELDS), *binding = fields_of(args[1], BINDING_FIELDS);
    const mp_obj_t *response = fields_of(args[2], MESSAGE_FIELDS);
    bytes_t kid = bytes_of(binding[BINDING_KID]), piv = bytes_of(binding[BINDING_PIV]), own;
    bytes_t iv = bytes_of(context[COMMON_IV]), key = bytes_of(context[RECIPIENT_KEY]);
    bytes_t recipient = bytes_of(context[RECIPIENT_ID]), sealed = bytes_of(response[PAYLOAD]);
    mp_int_t most = mp_obj_get_int(args[3]);
    bool is_usual = response_piv(response[OPTIONS], &own) && kid.length <= OSCORE_ID_BYTES
        && piv.length <= OSCORE_PIV_BYTES && recipient.length <= OSCORE_ID_BYTES && key.length == CCM_KEY_BYTES
        && iv.length == CCM_NONCE_BYTES && sealed.length > OSCORE_TAG_BYTES && most >= 0
        && sealed.length - OSCORE_TAG_BYTES <= CCM_MAX_MESSAGE;
    if (!is_usual) {
        return mp_const_none;
    }
    uint8_t nonce[CCM_NONCE_BYTES], aad[OSCORE_MAX_AAD];
    ccm_t ccm;
    oscore_nonce(iv.at, own.length > 0 ? recipient : kid, own.length > 0 ? own : piv, nonce); // 5.3
    ccm_of(&ccm, key, kid, piv, nonce, aad);
    size_t length = sealed.length - OSCORE_TAG_BYTES;
    vstr_t text;
    vstr_init_len(&text, length);
    uint8_t *plain = (uint8_t *)text.buf;
    int error = ccm_open(&ccm, sealed.at, length, plain);
    if (error == CCM_WRONG_TAG) {
        mp_raise_ValueError(MP_ERROR_TEXT("AES-CCM tag"));
    }
    if (error) {
        fbcrypto_raise(error);
    }
    unsigned kind = plain[0] >> 5;
    if (kind != 2 && kind != 4 && kind != 5) {
        return mp_const_none;
    }
    mp_obj_t found = options_of(plain + 1, plain + length, (size_t)most);
    if (found == mp_const_none) {
        return mp_const_none;
    }
    const mp_obj_t *both = fields_of(found, 2);
    mp_obj_t parts[3] = {MP_OBJ_NEW_SMALL_INT(plain[0]), both[0], both[1]};
    vstr_clear(&text);
    return mp_obj_new_tuple(3, parts);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fbcrypto_oscore_unprotect_obj, 4, 4, fbcrypto_oscore_unprotect);

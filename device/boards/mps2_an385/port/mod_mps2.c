// The module _mps2: the board's NVM, factory UART, handover and power-on pages, watchdog, generator and TLS time
// for device/ports/mps2.py, its only importer (docs/reference/c-modules.md).
#include <string.h>

#include "py/gc.h"
#include "py/mperrno.h"
#include "py/objint.h"
#include "py/runtime.h"
#include "py/smallint.h"
#include "py/stream.h"

#include "arena.h"
#include "board.h"
#include "mod_nvm_block.h"

static void raise_nvm(int error) {
    switch (error) {
        case 0:
            return;
        case NVM_RANGE:
            mp_raise_ValueError(MP_ERROR_TEXT("range"));
        case NVM_ALIGNMENT:
            mp_raise_ValueError(MP_ERROR_TEXT("alignment"));
        case NVM_FORBIDDEN:
            mp_raise_OSError(MP_EPERM);
        case NVM_NOT_ERASED:
            mp_raise_OSError(MP_EEXIST);
        default:
            mp_raise_OSError(MP_EIO);
    }
}

static uint32_t get_u32(mp_obj_t obj) {
    mp_int_t value = mp_obj_get_int(obj);
    if (value < 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("range"));
    }
    return (uint32_t)value;
}

static mp_obj_t mps2_nvm_read(mp_obj_t offset_in, mp_obj_t length_in) {
    uint32_t offset = get_u32(offset_in), length = get_u32(length_in);
    if (length > NVM_SIZE_BYTES) {
        raise_nvm(NVM_RANGE);
    }
    vstr_t data;
    vstr_init_len(&data, length);
    raise_nvm(nvm_read(offset, (uint8_t *)data.buf, length));
    return mp_obj_new_bytes_from_vstr(&data);
}
static MP_DEFINE_CONST_FUN_OBJ_2(mps2_nvm_read_obj, mps2_nvm_read);

static mp_obj_t mps2_nvm_write(mp_obj_t offset_in, mp_obj_t data_in) {
    mp_buffer_info_t data;
    mp_get_buffer_raise(data_in, &data, MP_BUFFER_READ);
    raise_nvm(nvm_write(get_u32(offset_in), data.buf, data.len));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(mps2_nvm_write_obj, mps2_nvm_write);

static mp_obj_t mps2_nvm_erase(mp_obj_t offset_in) {
    raise_nvm(nvm_erase(get_u32(offset_in)));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(mps2_nvm_erase_obj, mps2_nvm_erase);

static void store(mp_obj_t dict, qstr name, mp_obj_t value) {
    mp_obj_dict_store(dict, MP_OBJ_NEW_QSTR(name), value);
}

static mp_obj_t mps2_handover(void) {
    const handover_page_t *page = handover_page();
    if (page == NULL) {
        mp_raise_OSError(MP_ENODEV);
    }
    mp_obj_t version[4] = {
        MP_OBJ_NEW_SMALL_INT(page->version_major), MP_OBJ_NEW_SMALL_INT(page->version_minor),
        MP_OBJ_NEW_SMALL_INT(page->version_revision), mp_obj_new_int_from_uint(page->version_build),
    };
    mp_obj_t dict = mp_obj_new_dict(11);
    store(dict, MP_QSTR_slot, mp_obj_new_int_from_uint(page->slot));
    store(dict, MP_QSTR_is_trial, mp_obj_new_bool(page->is_trial != 0));
    store(dict, MP_QSTR_reset_reason, mp_obj_new_int_from_uint(page->reset_reason));
    store(dict, MP_QSTR_unit_counter, mp_obj_new_int_from_uint(page->unit_counter));
    store(dict, MP_QSTR_is_locked, mp_obj_new_bool(page->is_locked != 0));
    store(dict, MP_QSTR_version, mp_obj_new_tuple(4, version));
    store(dict, MP_QSTR_image_counter, mp_obj_new_int_from_uint(page->image_counter));
    store(dict, MP_QSTR_image_digest, mp_obj_new_bytes(page->image_digest, sizeof(page->image_digest)));
    store(dict, MP_QSTR_image_bytes, mp_obj_new_int_from_uint(page->image_bytes));
    store(dict, MP_QSTR_image_key, mp_obj_new_int_from_uint(page->image_key));
    store(dict, MP_QSTR_image_key_count, mp_obj_new_int_from_uint(page->image_key_count));
    return dict;
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_handover_obj, mps2_handover);

static mp_obj_t mps2_power_on(void) {
    const power_on_page_t *page = power_on_page();
    if (page == NULL) {
        mp_raise_OSError(MP_ENODEV);
    }
    mp_obj_t dict = mp_obj_new_dict(3);
    store(dict, MP_QSTR_is_test_seed, mp_obj_new_bool(page->flags & POWER_ON_SEED_FIXED));
    store(dict, MP_QSTR_is_button_held, mp_obj_new_bool(page->flags & POWER_ON_BUTTON_HELD));
    store(dict, MP_QSTR_hardware_id, mp_obj_new_bytes(page->hardware_id, sizeof(page->hardware_id)));
    return dict;
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_power_on_obj, mps2_power_on);

static mp_obj_t mps2_is_button_held(void) { // asked many times a second: it allocates nothing
    const power_on_page_t *page = power_on_page();
    return mp_obj_new_bool(page != NULL && (page->flags & POWER_ON_BUTTON_HELD));
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_is_button_held_obj, mps2_is_button_held);

static mp_obj_t mps2_led(mp_obj_t is_on) {
    *(volatile uint32_t *)FPGAIO_ADDRESS = mp_obj_is_true(is_on) ? 1 : 0;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(mps2_led_obj, mps2_led);

static mp_obj_t mps2_watchdog_feed(void) {
    watchdog_feed();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_watchdog_feed_obj, mps2_watchdog_feed);

static mp_obj_t mps2_reset(void) {
    board_reset(RUN_MARK_SOFTWARE);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_reset_obj, mps2_reset);

static mp_obj_t mps2_has_entropy(void) {
    return mp_obj_new_bool(entropy_is_ready());
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_has_entropy_obj, mps2_has_entropy);

// Takes None, or seconds since 1970 up to 9999-12-31: X.509 has no form for later dates.
static mp_obj_t mps2_set_time(mp_obj_t unix_s_in) {
    if (unix_s_in == mp_const_none) {
        time_set_trusted(false, 0);
        return mp_const_none;
    }
    uint8_t bytes[8];
    if (!mp_obj_is_int(unix_s_in)) {
        mp_raise_TypeError(MP_ERROR_TEXT("unix time"));
    }
    if (!mp_obj_is_small_int(unix_s_in)) {
        mp_obj_int_to_bytes_impl(unix_s_in, true, sizeof(bytes), bytes);
        mp_obj_t back = mp_obj_int_from_bytes_impl(true, sizeof(bytes), bytes);
        if (!mp_obj_equal(back, unix_s_in)) {
            mp_raise_ValueError(MP_ERROR_TEXT("unix time"));
        }
    } else {
        mp_int_t small = MP_OBJ_SMALL_INT_VALUE(unix_s_in);
        for (int index = 0; index < 8; index++) {
            bytes[index] = (uint8_t)((int64_t)small >> (56 - 8 * index));
        }
    }
    int64_t unix_s = 0;
    for (int index = 0; index < 8; index++) {
        unix_s = (int64_t)((uint64_t)unix_s << 8 | bytes[index]);
    }
    if (unix_s < 0 || unix_s > 253402300799ll) {
        mp_raise_ValueError(MP_ERROR_TEXT("unix time"));
    }
    time_set_trusted(true, unix_s);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(mps2_set_time_obj, mps2_set_time);

static mp_obj_t mps2_heap_peak(void) {
    return mp_obj_new_int_from_uint(heap_peak_bytes());
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_heap_peak_obj, mps2_heap_peak);

static mp_obj_t mps2_heap_peak_restart(void) {
    heap_peak_restart();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_heap_peak_restart_obj, mps2_heap_peak_restart);

// device/ports/mps2.py names the numbers.
static mp_obj_t mps2_memory(void) {
    arena_facts_t tls;
    gc_info_t heap;
    arena_facts(&tls);
    gc_info(&heap);
    const size_t facts[] = {
        heap_bytes(), heap_peak_bytes(), heap.free, heap_least_block_bytes(),
        tls.bytes, tls.used, tls.peak, tls.largest_free, tls.refused,
        stack_bytes(), stack_peak_bytes(),
    };
    mp_obj_t items[MP_ARRAY_SIZE(facts)];
    for (size_t index = 0; index < MP_ARRAY_SIZE(facts); index++) {
        items[index] = mp_obj_new_int_from_uint(facts[index]);
    }
    return mp_obj_new_tuple(MP_ARRAY_SIZE(facts), items);
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_memory_obj, mps2_memory);

static mp_obj_t mps2_is_network_up(void) {
    return mp_obj_new_bool(network_is_up());
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_is_network_up_obj, mps2_is_network_up);

static mp_obj_t mps2_is_console_open(void) {
    return mp_obj_new_bool(console_is_open());
}
static MP_DEFINE_CONST_FUN_OBJ_0(mps2_is_console_open_obj, mps2_is_console_open);

// Uart(index): a non-blocking stream on the factory port, or on a line that only the variant `radio` has. Python has no
// access to console and network line.
typedef struct {
    mp_obj_base_t base;
    unsigned index;
} uart_obj_t;

static mp_obj_t uart_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, 1, false);
    mp_int_t index = mp_obj_get_int(args[0]);
    if (index < UART_FACTORY || !uart_exists(index)) {
        mp_raise_ValueError(MP_ERROR_TEXT("no such Uart"));
    }
    uart_start_receive(index);
    uart_obj_t *self = mp_obj_malloc(uart_obj_t, type);
    self->index = index;
    return MP_OBJ_FROM_PTR(self);
}

static mp_uint_t uart_stream_read(mp_obj_t self_in, void *data, mp_uint_t length, int *error) {
    unsigned index = ((uart_obj_t *)MP_OBJ_TO_PTR(self_in))->index;
    size_t count = uart_read(index, data, length);
    if (count == 0 && length > 0) {
        *error = MP_EAGAIN;
        return MP_STREAM_ERROR;
    }
    return count;
}

static mp_uint_t uart_stream_write(mp_obj_t self_in, const void *data, mp_uint_t length, int *error) {
    unsigned index = ((uart_obj_t *)MP_OBJ_TO_PTR(self_in))->index;
    size_t count = uart_write(index, data, length);
    if (count == 0 && length > 0) {
        *error = MP_EAGAIN;
        return MP_STREAM_ERROR;
    }
    return count;
}

static mp_uint_t uart_stream_ioctl(mp_obj_t self_in, mp_uint_t request, uintptr_t flags, int *error) {
    unsigned index = ((uart_obj_t *)MP_OBJ_TO_PTR(self_in))->index;
    if (request == MP_STREAM_POLL) {
        mp_uint_t ready = 0;
        if ((flags & MP_STREAM_POLL_RD) && uart_available(index)) {
            ready |= MP_STREAM_POLL_RD;
        }
        if ((flags & MP_STREAM_POLL_WR) && uart_can_write(index)) {
            ready |= MP_STREAM_POLL_WR;
        }
        return ready;
    }
    if (request == MP_STREAM_CLOSE) {
        return 0;
    }
    *error = MP_EINVAL;
    return MP_STREAM_ERROR;
}

static const mp_stream_p_t uart_stream = {
    .read = uart_stream_read,
    .write = uart_stream_write,
    .ioctl = uart_stream_ioctl,
};

static const mp_rom_map_elem_t uart_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&mp_stream_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&mp_stream_readinto_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&mp_stream_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&mp_stream_close_obj) },
};
static MP_DEFINE_CONST_DICT(uart_locals, uart_locals_table);

static MP_DEFINE_CONST_OBJ_TYPE(
    mps2_uart_type,
    MP_QSTR_Uart,
    MP_TYPE_FLAG_NONE,
    make_new, uart_make_new,
    protocol, &uart_stream,
    locals_dict, &uart_locals
    );

static const mp_rom_map_elem_t mps2_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__mps2) },
    { MP_ROM_QSTR(MP_QSTR_nvm_read), MP_ROM_PTR(&mps2_nvm_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_nvm_write), MP_ROM_PTR(&mps2_nvm_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_nvm_erase), MP_ROM_PTR(&mps2_nvm_erase_obj) },
    { MP_ROM_QSTR(MP_QSTR_NvmBlock), MP_ROM_PTR(&mps2_nvm_block_type) },
    { MP_ROM_QSTR(MP_QSTR_Uart), MP_ROM_PTR(&mps2_uart_type) },
    { MP_ROM_QSTR(MP_QSTR_handover), MP_ROM_PTR(&mps2_handover_obj) },
    { MP_ROM_QSTR(MP_QSTR_power_on), MP_ROM_PTR(&mps2_power_on_obj) },
    { MP_ROM_QSTR(MP_QSTR_is_button_held), MP_ROM_PTR(&mps2_is_button_held_obj) },
    { MP_ROM_QSTR(MP_QSTR_led), MP_ROM_PTR(&mps2_led_obj) },
    { MP_ROM_QSTR(MP_QSTR_watchdog_feed), MP_ROM_PTR(&mps2_watchdog_feed_obj) },
    { MP_ROM_QSTR(MP_QSTR_reset), MP_ROM_PTR(&mps2_reset_obj) },
    { MP_ROM_QSTR(MP_QSTR_random), MP_ROM_PTR(&mp_os_urandom_obj) },
    { MP_ROM_QSTR(MP_QSTR_has_entropy), MP_ROM_PTR(&mps2_has_entropy_obj) },
    { MP_ROM_QSTR(MP_QSTR_set_time), MP_ROM_PTR(&mps2_set_time_obj) },
    { MP_ROM_QSTR(MP_QSTR_heap_peak), MP_ROM_PTR(&mps2_heap_peak_obj) },
    { MP_ROM_QSTR(MP_QSTR_heap_peak_restart), MP_ROM_PTR(&mps2_heap_peak_restart_obj) },
    { MP_ROM_QSTR(MP_QSTR_memory), MP_ROM_PTR(&mps2_memory_obj) },
    { MP_ROM_QSTR(MP_QSTR_is_console_open), MP_ROM_PTR(&mps2_is_console_open_obj) },
    { MP_ROM_QSTR(MP_QSTR_is_network_up), MP_ROM_PTR(&mps2_is_network_up_obj) },
};
static MP_DEFINE_CONST_DICT(mps2_globals, mps2_globals_table);

const mp_obj_module_t mps2_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&mps2_globals,
};
MP_REGISTER_MODULE(MP_QSTR__mps2, mps2_module);

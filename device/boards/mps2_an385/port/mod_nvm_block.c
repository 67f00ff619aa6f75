// _mps2.NvmBlock(offset, length): a region of the NVM as a block device for VfsLfs2, blocks of one sector
// (the extended interface of MicroPython's os.AbstractBlockDev: offsets inside blocks, erase by ioctl 6).
#include "mod_nvm_block.h"

#include <string.h>

#include "py/mperrno.h"
#include "py/runtime.h"

#include "board.h"
#include "extmod/vfs.h"

typedef struct {
    mp_obj_base_t base;
    uint32_t offset, length;
} nvm_block_t;

static mp_obj_t block_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 2, 2, false);
    mp_int_t offset = mp_obj_get_int(args[0]), length = mp_obj_get_int(args[1]);
    // Only the two file regions are allowed: a file system on a slot or on boot facts would destroy it.
    bool is_device = offset == NVM_DEVICE_OFFSET && length == NVM_DEVICE_BYTES;
    bool is_user = offset == NVM_USER_OFFSET && length == NVM_USER_BYTES;
    if (!is_device && !is_user) {
        mp_raise_ValueError(MP_ERROR_TEXT("no file region"));
    }
    nvm_block_t *self = mp_obj_malloc(nvm_block_t, type);
    self->offset = (uint32_t)offset;
    self->length = (uint32_t)length;
    return MP_OBJ_FROM_PTR(self);
}

// The NVM offset of `length` bytes at `offset` in `block`, or -1 if they are not in the region.
static int64_t locate(const nvm_block_t *self, mp_obj_t block_in, mp_obj_t offset_in, size_t length) {
    mp_int_t block = mp_obj_get_int(block_in);
    mp_int_t offset = offset_in == MP_OBJ_NULL ? 0 : mp_obj_get_int(offset_in);
    if (block < 0 || offset < 0 || (uint32_t)block >= self->length / NVM_SECTOR_BYTES
        || (uint32_t)offset > NVM_SECTOR_BYTES) {
        return -1;
    }
    uint32_t start = (uint32_t)block * NVM_SECTOR_BYTES + (uint32_t)offset;
    return length <= self->length - start ? (int64_t)self->offset + start : -1;
}

static mp_obj_t block_readblocks(size_t n_args, const mp_obj_t *args) {
    nvm_block_t *self = MP_OBJ_TO_PTR(args[0]);
    mp_buffer_info_t data;
    mp_get_buffer_raise(args[2], &data, MP_BUFFER_WRITE);
    int64_t at = locate(self, args[1], n_args == 4 ? args[3] : MP_OBJ_NULL, data.len);
    if (at < 0 || nvm_read((uint32_t)at, data.buf, data.len) != 0) {
        return MP_OBJ_NEW_SMALL_INT(-MP_EIO);
    }
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(block_readblocks_obj, 3, 4, block_readblocks);

static mp_obj_t block_writeblocks(size_t n_args, const mp_obj_t *args) {
    nvm_block_t *self = MP_OBJ_TO_PTR(args[0]);
    mp_buffer_info_t data;
    mp_get_buffer_raise(args[2], &data, MP_BUFFER_READ);
    int64_t at = locate(self, args[1], n_args == 4 ? args[3] : MP_OBJ_NULL, data.len);
    int error = at < 0;
    // Without an offset, the interface requires an erase before the write.
    for (uint32_t done = 0; n_args == 3 && !error && done < data.len; done += NVM_SECTOR_BYTES) {
        error = nvm_erase((uint32_t)at + done);
    }
    error = error ? error : nvm_write((uint32_t)at, data.buf, data.len);
    return MP_OBJ_NEW_SMALL_INT(error ? -MP_EIO : 0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(block_writeblocks_obj, 3, 4, block_writeblocks);

static mp_obj_t block_ioctl(mp_obj_t self_in, mp_obj_t request_in, mp_obj_t arg_in) {
    nvm_block_t *self = MP_OBJ_TO_PTR(self_in);
    switch (mp_obj_get_int(request_in)) {
        case MP_BLOCKDEV_IOCTL_INIT:
        case MP_BLOCKDEV_IOCTL_DEINIT:
        case MP_BLOCKDEV_IOCTL_SYNC:
            return MP_OBJ_NEW_SMALL_INT(0);
        case MP_BLOCKDEV_IOCTL_BLOCK_COUNT:
            return MP_OBJ_NEW_SMALL_INT(self->length / NVM_SECTOR_BYTES);
        case MP_BLOCKDEV_IOCTL_BLOCK_SIZE:
            return MP_OBJ_NEW_SMALL_INT(NVM_SECTOR_BYTES);
        case MP_BLOCKDEV_IOCTL_BLOCK_ERASE: {
            int64_t at = locate(self, arg_in, MP_OBJ_NULL, NVM_SECTOR_BYTES);
            return MP_OBJ_NEW_SMALL_INT(at < 0 || nvm_erase((uint32_t)at) != 0 ? -MP_EIO : 0);
        }
        default:
            return mp_const_none;
    }
}
static MP_DEFINE_CONST_FUN_OBJ_3(block_ioctl_obj, block_ioctl);

static const mp_rom_map_elem_t block_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_readblocks), MP_ROM_PTR(&block_readblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&block_writeblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&block_ioctl_obj) },
};
static MP_DEFINE_CONST_DICT(block_locals, block_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(
    mps2_nvm_block_type,
    MP_QSTR_NvmBlock,
    MP_TYPE_FLAG_NONE,
    make_new, block_make_new,
    locals_dict, &block_locals
    );

#ifndef FIRSTBOOT_MOD_NVM_BLOCK_H
#define FIRSTBOOT_MOD_NVM_BLOCK_H

#include "py/obj.h"

extern const mp_obj_type_t mps2_nvm_block_type;
extern const mp_obj_fun_builtin_fixed_t mp_os_urandom_obj;

#endif

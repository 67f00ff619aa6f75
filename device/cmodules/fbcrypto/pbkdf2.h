#ifndef FIRSTBOOT_PBKDF2_H
#define FIRSTBOOT_PBKDF2_H

#include "py/obj.h"

extern const mp_obj_type_t fbcrypto_pbkdf2_type;

#endif

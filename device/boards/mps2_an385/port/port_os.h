// Included by extmod/modos.c: os.urandom comes from the unit's generator (entropy.c).
extern const mp_obj_fun_builtin_fixed_t mp_os_urandom_obj;

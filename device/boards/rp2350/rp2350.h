// What rp2350.c gives to the module _fbrp2.
#ifndef FIRSTBOOT_RP2350_H
#define FIRSTBOOT_RP2350_H

#include "entropy.h"

// Whether Mbed TLS checks the dates of certificates. It does not before the first call.
void rp2350_check_dates(bool is_checked);

#endif

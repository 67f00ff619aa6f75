// The security controls of a board with TrustZone.
#ifndef FIRSTBOOT_ROM_TRUSTZONE_H
#define FIRSTBOOT_ROM_TRUSTZONE_H

#include <stdbool.h>

// Make everything secure, and lock that until the next reset. False if a control does not keep what was written.
bool trustzone_all_secure(void);

#endif

"""RP2350: factory lock and security counter in the OTP memory, on the C module `_fbrp2`. NOT YET RUN ON HARDWARE.

1. Both use raw rows of 24 bits. A bit only goes from 0 to 1; a row can be written again if no bit goes back.
2. Counter: the rollback version of the default boot rows, as the boot ROM counts it. Each row is stored three times,
   the majority of each bit counts, and the version is the number of the highest bit that is set, counted from 1. The
   boot ROM raises it in `buy`; a chip without secure boot needs `raise_counter`. A 48th step does not exist: the boot
   ROM refuses an image with rollback version 48.
3. Lock: three rows of page 58, which has no other use. Any bit in any of them, or a row that cannot be read, is a lock.
4. A power cut between the three copies leaves the old counter, and the next try completes them; it leaves a set lock.

docs/how-to/rp2350.md has the plan of all rows. Source: RP2350 datasheet, "OTP" and "Rollback versions".
"""

import _fbrp2

from device.compat import const

COUNTER_ROWS = (0x04E, 0x051)  # DEFAULT_BOOT_VERSION0 and 1; each followed by its two copies
COUNTER_MAX = const(47)
LOCK_ROWS = (0xE80, 0xE81, 0xE82)
_ROW_BITS = const(24)
_LOCKED = const(0xFFFFFF)


class OtpFuses:
    """Lock and security counter, as device/ports/fuses.py takes them."""

    counter_max = COUNTER_MAX

    def is_locked(self) -> bool:
        """Return whether any bit of the lock is set, or a row cannot be read (rule 3)."""
        try:
            return any([_fbrp2.otp_read(row) != 0 for row in LOCK_ROWS])
        except OSError:
            return True

    def lock(self) -> None:
        """Set every bit of the lock. Raises OSError."""
        for row in LOCK_ROWS:
            _fbrp2.otp_write(row, _LOCKED)

    def counter(self) -> int:
        """Return the security counter, 0 to 48 (rule 2). Raises OSError."""
        for index in range(len(COUNTER_ROWS) - 1, -1, -1):
            bits = _majority(COUNTER_ROWS[index])
            for bit in range(_ROW_BITS - 1, -1, -1):
                if bits >> bit & 1:
                    return int(index * _ROW_BITS + bit + 1)
        return 0

    def raise_counter(self, value: int) -> None:
        """Set the bit of `value`, and the last bit of each row below it. Raises OSError, ValueError (not 1 to 47)."""
        if not 1 <= value <= COUNTER_MAX:
            raise ValueError("security counter")
        last = value - 1
        for index in range(last // _ROW_BITS):  # the boot ROM sets it too before it goes to the next row
            _set_bit(COUNTER_ROWS[index], _ROW_BITS - 1)
        _set_bit(COUNTER_ROWS[last // _ROW_BITS], last % _ROW_BITS)


def _majority(row: int) -> int:
    a: int = _fbrp2.otp_read(row)
    b: int = _fbrp2.otp_read(row + 1)
    c: int = _fbrp2.otp_read(row + 2)
    return a & b | a & c | b & c


def _set_bit(row: int, bit: int) -> None:
    for copy in range(row, row + 3):
        bits = int(_fbrp2.otp_read(copy))
        if not bits >> bit & 1:
            _fbrp2.otp_write(copy, bits | 1 << bit)

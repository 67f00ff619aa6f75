"""Factory lock and security counter in a chip's fuses (eFuses, OTP), shown as the units of an NvmLayout.

Rules:
1. Fuses only go from 0 to 1, so neither can be taken back, also by a person who can write the flash.
2. Reads look like flash: a set lock is UNIT_LOCKED in both copies, each step of the counter is one UNIT_COUNTED.
3. Only two writes exist: the lock, and the next step of the counter. Everything else is refused with a FlashError.
4. A fuse that was not set by its write is an error: the unit then has no lock, or counts less than its firmware says.

`fuses` has is_locked(), lock(), counter(), raise_counter(value) and counter_max; the last three raise OSError.
"""

from device.compat import const
from device.errors import FlashError
from device.layout import UNIT_COUNTED, UNIT_LOCKED

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.layout import NvmLayout


class FuseFacts:
    """The part of the NVM below `revocation_offset`: both copies of the lock, and the counter."""

    def __init__(self, fuses: "Any", layout: "NvmLayout") -> None:
        self._fuses = fuses
        self._layout = layout
        self._unit: int = layout.unit_bytes

    def covers(self, offset: int) -> bool:
        """Return whether `offset` lies in the lock or the counter."""
        return bool(0 <= offset < self._layout.revocation_offset)

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes as flash would have them (rule 2). Raises FlashError if the range leaves this part."""
        if length < 0 or offset + length > self._layout.revocation_offset:
            raise FlashError(reason="outside", offset=offset)
        try:
            is_locked, counter = self._fuses.is_locked(), self._fuses.counter()
        except OSError:
            raise FlashError(reason="read", offset=offset) from None
        first = offset - offset % self._unit
        units = [self._content(at, is_locked, counter) for at in range(first, offset + length, self._unit)]
        return b"".join(units)[offset - first : offset - first + length]

    def _content(self, at: int, is_locked: bool, counter: int) -> bytes:
        if at in self._layout.lock_offsets:
            return UNIT_LOCKED if is_locked else b"\xff" * self._unit
        if 0 <= at - self._layout.counter_offset < counter * self._unit:
            return UNIT_COUNTED
        return b"\xff" * self._unit

    def write(self, offset: int, data: bytes) -> None:
        """Set the lock, or the next step of the counter (rule 3). Raises FlashError."""
        step = (offset - self._layout.counter_offset) // self._unit
        try:
            if offset in self._layout.lock_offsets and data == UNIT_LOCKED:
                self._fuses.lock()
                is_done = self._fuses.is_locked()
            elif data == UNIT_COUNTED and offset % self._unit == 0 and step == self._fuses.counter():
                if step >= self._fuses.counter_max:
                    raise FlashError(reason="security counter exhausted", offset=offset)
                self._fuses.raise_counter(step + 1)
                is_done = self._fuses.counter() == step + 1
            else:
                raise FlashError(reason="forbidden", offset=offset)
        except OSError:
            raise FlashError(reason="write", offset=offset) from None
        if not is_done:  # rule 4
            raise FlashError(reason="read back differs", offset=offset)

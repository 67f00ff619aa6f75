"""Boot facts in NVM: slots and their marks, the security counter, the factory lock.

Rules (docs/design.md, Boot; the boot ROM reads the same units):
1. Each mark is one unit, programmed once between two erases.
2. A torn *staged* or *confirmed* does not count; a torn *tried*, lock or counter unit does.
3. A slot is erased from its trailer on, so a partly erased image is never staged.
4. The slot with the highest confirm sequence was confirmed last.
5. A revoked image key stays revoked. The key that signed the running image cannot be revoked, so one key always stays.
6. The security counter only grows, one unit per step. A power cut leaves a value between old and new.
"""

from collections import namedtuple
from hashlib import sha256

from device.codec.image import parse_image
from device.compat import const
from device.errors import FlashError, RevocationError
from device.layout import (
    CONFIRMED_PREFIX,
    MARK_CONFIRMED,
    MARK_STAGED,
    MARK_TRIED,
    UNIT_COUNTED,
    UNIT_LOCKED,
    UNIT_REVOKED,
    UNIT_STAGED,
    UNIT_TRIED,
)
from device.limits import IMAGE_KEYS

_PIECE_BYTES = const(1024)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    from device.interfaces import Flash, ImageFacts
    from device.layout import NvmLayout

# confirm_sequence is 0 if the slot is not confirmed
Marks = namedtuple("Marks", ("is_staged", "is_tried", "is_confirmed", "confirm_sequence"))


def _is_blank(data: bytes) -> bool:
    return data == b"\xff" * len(data)


def confirmed_unit(sequence: int) -> bytes:
    """Return the 32 bytes that confirm a slot with `sequence` (1 .. 2**32-2)."""
    return (
        CONFIRMED_PREFIX
        + sequence.to_bytes(4, "little")
        + (sequence ^ 0xFFFFFFFF).to_bytes(4, "little")
        + bytes(8)
    )


def confirm_sequence(unit: bytes) -> int:
    """Return the sequence of a confirmed unit, 0 for a blank or torn one."""
    sequence = int.from_bytes(unit[16:20], "little")
    if sequence == 0xFFFFFFFF or bytes(unit) != confirmed_unit(sequence):
        return 0
    return sequence


class Slots:
    """The slots of one size. Each has content and, in its last sector, its marks. Every method may raise FlashError."""

    def __init__(
        self, flash: "Flash", layout: "NvmLayout", offsets: "tuple[int, ...]", size_bytes: int
    ) -> None:
        self._flash = flash
        self._layout = layout
        self._offsets = offsets
        self._marks_offset = size_bytes - layout.sector_bytes
        self.slot_limit_bytes = self._marks_offset  # largest content

    def _trailer(self, slot: int) -> int:
        offset: int = self._offsets[slot] + self._marks_offset
        return offset

    def marks(self, slot: int) -> "Marks":
        unit = self._layout.unit_bytes
        trailer = self._trailer(slot)
        sequence = confirm_sequence(self._flash.read(trailer + MARK_CONFIRMED, unit))
        return Marks(
            self._flash.read(trailer + MARK_STAGED, unit) == UNIT_STAGED,
            not _is_blank(self._flash.read(trailer + MARK_TRIED, unit)),
            sequence > 0,
            sequence,
        )

    def is_blank_trailer(self, slot: int) -> bool:
        """Return whether no mark is programmed. If so, the slot may be written."""
        return _is_blank(self._flash.read(self._trailer(slot), MARK_CONFIRMED + self._layout.unit_bytes))

    def clear_marks(self, slot: int) -> None:
        """Erase the trailer. After that the slot counts as empty, even if its other sectors still hold an image."""
        self._flash.erase(self._trailer(slot))

    def stage(self, slot: int) -> None:
        """Ask the boot ROM to try this slot at the next start."""
        self._flash.write(self._trailer(slot) + MARK_STAGED, UNIT_STAGED)

    def mark_tried(self, slot: int) -> None:
        """Mark the slot as tried, as the boot ROM does before it starts an image."""
        self._flash.write(self._trailer(slot) + MARK_TRIED, UNIT_TRIED)

    def confirm(self, slot: int) -> None:
        """Make `slot` the one confirmed last. A slot that is already confirmed does not change."""
        if self.marks(slot).is_confirmed:
            return
        last = max([self.marks(n).confirm_sequence for n in range(len(self._offsets))])
        self._flash.write(self._trailer(slot) + MARK_CONFIRMED, confirmed_unit(last + 1))

    def read(self, slot: int, offset: int, length: int) -> bytes:
        self._check(offset, length)
        return self._flash.read(self._offsets[slot] + offset, length)

    def digest(self, slot: int, size: int, start: int = 0) -> bytes:
        """Return the SHA-256 of `size` bytes of the slot from `start` on, read in pieces of 1 KiB to save RAM."""
        total = sha256()
        end = start + size
        for offset in range(start, end, _PIECE_BYTES):
            total.update(self.read(slot, offset, min(_PIECE_BYTES, end - offset)))
        return total.digest()

    def rewrite_sector(self, slot: int, offset: int, data: bytes) -> None:
        """Erase the sector at `offset` of the slot and program `data` (at most a sector) into it."""
        self._check(offset, len(data))
        self.erase_sector(slot, offset)
        self.program(slot, offset, data)

    def erase_sector(self, slot: int, offset: int) -> None:
        """Erase the sector at `offset` of the slot."""
        self._check(offset, self._layout.sector_bytes)
        self._flash.erase(self._offsets[slot] + offset)

    def program(self, slot: int, offset: int, data: "bytes | bytearray") -> None:
        """Program `data` into erased units at `offset` of the slot; the rest of its last unit stays erased."""
        self._check(offset, len(data))
        unit_bytes = self._layout.unit_bytes
        rest = len(data) % unit_bytes
        view, start = memoryview(data), self._offsets[slot] + offset
        whole = len(data) - rest
        if whole:
            self._flash.write(start, view[:whole])  # type: ignore[arg-type]  # drivers copy any buffer
        if rest:  # a padded copy of the last unit only: an old heap has no room for one of a whole sector
            self._flash.write(start + whole, bytes(view[whole:]) + b"\xff" * (unit_bytes - rest))

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.slot_limit_bytes:
            raise FlashError(reason="outside the slot", offset=offset)


class BootState(Slots):
    """Reads and programs the boot facts of one unit: the image slots, lock, counter, revoked keys."""

    def __init__(
        self,
        flash: "Flash",
        layout: "NvmLayout",
        parse_image: "Callable[[Callable[[int, int], bytes], int], ImageFacts]" = parse_image,
    ) -> None:
        """`parse_image` reads the image format of the board's boot loader (Boot.parse_image)."""
        super().__init__(flash, layout, layout.slot_offsets, layout.slot_bytes)
        self._parse_image = parse_image

    def image(self, slot: int, limit: int) -> "ImageFacts":
        """Return the facts of the image in the first `limit` bytes of `slot`. Raises ImageFormatError."""
        return self._parse_image(lambda offset, length: self.read(slot, offset, length), limit)

    # lock ------------------------------------------------------------------------------------------------
    def is_locked(self) -> bool:
        """Return whether any byte in the sector of either copy is programmed. The boot ROM uses the same rule."""
        for offset in self._layout.lock_offsets:
            end = offset + self._layout.sector_bytes
            for at in range(offset, end, _PIECE_BYTES):
                if not _is_blank(self._flash.read(at, min(_PIECE_BYTES, end - at))):
                    return True
        return False

    def lock(self) -> None:
        """Lock the factory port permanently. Programs each copy that is blank."""
        for offset in self._layout.lock_offsets:
            if _is_blank(self._flash.read(offset, self._layout.unit_bytes)):
                self._flash.write(offset, UNIT_LOCKED)

    # security counter ------------------------------------------------------------------------------------
    @property
    def counter_capacity(self) -> int:
        """Return the highest value that the security counter can have."""
        capacity: int = self._layout.counter_sectors * self._layout.sector_bytes // self._layout.unit_bytes
        return capacity

    def security_counter(self) -> int:
        """Return the number of programmed units, 0 .. counter_sectors * sector_bytes / unit_bytes."""
        unit = self._layout.unit_bytes
        steps = self.counter_capacity
        for step in range(steps):
            if _is_blank(self._flash.read(self._layout.counter_offset + step * unit, unit)):
                return step
        return steps

    def raise_security_counter(self, value: int) -> None:
        """Raise the counter to `value`; a lower value changes nothing.

        Raises FlashError if the board cannot count that far.
        """
        unit = self._layout.unit_bytes
        if value > self.counter_capacity:
            raise FlashError(reason="security counter exhausted", offset=self._layout.counter_offset)
        for step in range(self.security_counter(), value):
            self._flash.write(self._layout.counter_offset + step * unit, UNIT_COUNTED)

    # image keys ------------------------------------------------------------------------------------------
    def revoked_image_keys(self) -> "tuple[int, ...]":
        """Return the numbers of the image keys that the boot ROM refuses; a torn unit counts."""
        unit = self._layout.unit_bytes
        return tuple(
            [
                number
                for number in range(IMAGE_KEYS)
                if not _is_blank(self._flash.read(self._layout.revocation_offset + number * unit, unit))
            ]
        )

    def revoke_image_key(self, number: int, running: int, count: int) -> bool:
        """Make the boot ROM refuse image key `number` permanently. Returns False if it was already revoked.

        `running` is the key of the running image; the caller has checked that this image is confirmed. `count` is the
        number of keys that the ROM knows. Raises RevocationError for the running image's own key and for a number that
        the ROM does not know.
        """
        if not 0 <= number < min(count, IMAGE_KEYS) or not 0 <= running < count:
            raise RevocationError(reason="no such image key", key=number)
        if number == running:
            raise RevocationError(reason="the running image is signed with it", key=number)
        if number in self.revoked_image_keys():
            return False
        self._flash.write(self._layout.revocation_offset + number * self._layout.unit_bytes, UNIT_REVOKED)
        return True

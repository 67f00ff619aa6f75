"""The board's NVM as a file, as a flash programmer writes it while the power is off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from device.layout import (
    CONFIRMED_PREFIX,
    MARK_CONFIRMED,
    MARK_STAGED,
    MARK_TRIED,
    MPS2,
    UNIT_STAGED,
    UNIT_TRIED,
)
from renode.errors import MachineError

ERASED: Final = b"\xff"


def confirmed_unit(sequence: int) -> bytes:
    """Return the `confirmed` mark with its sequence (device.layout), 32 bytes."""
    complement = sequence ^ 0xFFFFFFFF
    return CONFIRMED_PREFIX + sequence.to_bytes(4, "little") + complement.to_bytes(4, "little") + bytes(8)


def trailer_offset(slot: int) -> int:
    """Return the NVM offset of the last sector of slot 0 or 1, which contains its marks."""
    return int(MPS2.slot_offsets[slot] + MPS2.slot_bytes - MPS2.sector_bytes)


class NvmFile:
    """NVM of a board without power. Every method calls `check_access`, which raises if the power is on."""

    def __init__(self, path: Path, check_access: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self._check_access = check_access

    def erase_all(self) -> None:
        """Create or overwrite the file: every byte is 0xFF."""
        self._check_access()
        self.path.write_bytes(ERASED * MPS2.size_bytes)

    def read(self, offset: int, length: int) -> bytes:
        self._check_access()
        self._check_range(offset, length)
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def write(self, offset: int, data: bytes) -> None:
        """Overwrite bytes without NOR rules: a programmer erases first, a test can damage."""
        self._check_access()
        self._check_range(offset, len(data))
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    def erase(self, offset: int, length: int) -> None:
        self.write(offset, ERASED * length)

    def install(
        self,
        slot: int,
        image: bytes,
        *,
        is_staged: bool = True,
        is_tried: bool = False,
        confirm_sequence: int | None = None,
    ) -> None:
        """Erase a slot, write `image` and the named marks. Raises MachineError if the image is too large."""
        if len(image) > MPS2.slot_bytes - MPS2.sector_bytes:
            raise MachineError(f"an image of {len(image)} bytes does not fit a slot")
        self.erase(MPS2.slot_offsets[slot], MPS2.slot_bytes)
        self.write(MPS2.slot_offsets[slot], image)
        trailer = trailer_offset(slot)
        if is_staged:
            self.write(trailer + MARK_STAGED, UNIT_STAGED)
        if is_tried:
            self.write(trailer + MARK_TRIED, UNIT_TRIED)
        if confirm_sequence is not None:
            self.write(trailer + MARK_CONFIRMED, confirmed_unit(confirm_sequence))

    def _check_range(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > MPS2.size_bytes:
            raise MachineError(f"bytes {offset}..{offset + length} are outside the NVM")

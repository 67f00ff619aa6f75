"""The content that a program or an erase leaves in NOR flash if the power fails inside it, as shapes with sources.

A shape is a number, so that a seed names it (powercut/engine.py). Shape 0 of each kind is the general one: any bit may
be as before or as wanted. The others are the ones that people have seen on real parts; docs/how-to/power-cuts.md
lists the sources.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, NamedTuple

WORD_BYTES: Final = 4  # the smallest piece that a microcontroller's flash programs at once
PAGE_BYTES: Final = 256  # the program buffer of serial NOR flash


class UnstableSector(bytes):
    """The bytes of a sector with bits that read differently each time. `mask`: one bit for each of them."""

    mask: bytes

    def __new__(cls, data: bytes, mask: bytes) -> UnstableSector:
        """Return the sector. `data` has what was written, which an unstable bit shows in half of the reads."""
        made = super().__new__(cls, data)
        made.mask = mask
        return made

    def read(self, start: int, length: int, noise: random.Random) -> bytes:
        """Return a piece of the sector as one read shows it."""
        piece = self[start : start + length]
        mask = self.mask[start : start + length]
        if not any(mask):
            return bytes(piece)
        return bytes(byte ^ (bit & noise.randrange(256)) for byte, bit in zip(piece, mask, strict=True))

    def replaced(self, start: int, data: bytes) -> bytes:
        """Return the sector with `data` written over a part of it. What was written is stable."""
        end = start + len(data)
        mask = self.mask[:start] + bytes(len(data)) + self.mask[end:]
        content = bytes(self[:start]) + data + bytes(self[end:])
        return UnstableSector(content, mask) if any(mask) else content


class Torn(NamedTuple):
    """The content that is left: the bytes, and which of their bits are unstable (b"" if none)."""

    data: bytes
    unstable: bytes = b""


# A shape of a write: (data, unit_bytes, random) -> what is in place of `data`; the rest stays erased.
# A shape of an erase: (old content, random) -> what is in place of the sector.
WriteShape = Callable[[bytes, int, random.Random], Torn]
EraseShape = Callable[[bytes, random.Random], Torn]


def _some(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with some of its 0 bits still erased."""
    return bytes(byte | chance.randrange(256) for byte in data)


def _sparse(length: int, share: float, chance: random.Random) -> bytes:
    """Return `length` bytes in which about `share` of the bits are set, at least one."""
    found = bytearray(length)
    for _ in range(max(1, int(length * 8 * share))):
        bit = chance.randrange(length * 8)
        found[bit // 8] |= 1 << bit % 8
    return bytes(found)


def _write_bits(data: bytes, unit: int, chance: random.Random) -> Torn:
    """Some units, then one unit with some of its bits."""
    done = chance.randrange(len(data) // unit) * unit
    return Torn(data[:done] + _some(data[done : done + unit], chance))


def _write_words(data: bytes, unit: int, chance: random.Random) -> Torn:
    """A whole number of words, so that a unit may end in the middle."""
    return Torn(data[: chance.randrange(len(data) // WORD_BYTES) * WORD_BYTES])


def _write_page(data: bytes, unit: int, chance: random.Random) -> Torn:
    """Some pages of the program buffer, then a page in which every byte has some of its bits."""
    done = chance.randrange(-(-len(data) // PAGE_BYTES)) * PAGE_BYTES
    return Torn(data[:done] + _some(data[done : done + PAGE_BYTES], chance))


def _write_faint(data: bytes, unit: int, chance: random.Random) -> Torn:
    """Some units, then one unit with few of its bits: the pulse had just begun."""
    done = chance.randrange(len(data) // unit) * unit
    return Torn(data[:done] + _some(_some(_some(data[done : done + unit], chance), chance), chance))


def _write_stuck(data: bytes, unit: int, chance: random.Random) -> Torn:
    """Everything, except a few bits that stayed erased."""
    stuck = _sparse(len(data), 1 / 256, chance)
    return Torn(bytes(byte | bit for byte, bit in zip(data, stuck, strict=True)))


def _write_unstable(data: bytes, unit: int, chance: random.Random) -> Torn:
    """Everything, but some programmed bits of the last unit hold too little charge and read differently each time."""
    mask = bytes(len(data) - unit) + bytes(
        ~byte & chance.randrange(256) & chance.randrange(256) for byte in data[-unit:]
    )
    return Torn(data, mask)


def _erase_bits(old: bytes, chance: random.Random) -> Torn:
    """Half of the programmed bits are erased."""
    return Torn(_some(old, chance))


def _left(old: bytes, share: float, chance: random.Random) -> Torn:
    kept = _sparse(len(old), share, chance)
    return Torn(bytes(byte | ~bit & 0xFF for byte, bit in zip(old, kept, strict=True)))


def _erase_early(old: bytes, chance: random.Random) -> Torn:
    """4.5 % of the programmed bits are left."""
    return _left(old, 0.045, chance)


def _erase_late(old: bytes, chance: random.Random) -> Torn:
    """0.35 % of the programmed bits are left."""
    return _left(old, 0.0035, chance)


def _erase_zeros(old: bytes, chance: random.Random) -> Torn:
    """Every bit is programmed: serial NOR flash does that before it erases."""
    return Torn(bytes(len(old)))


def _erase_part(old: bytes, chance: random.Random) -> Torn:
    """The beginning of the sector is erased, the rest is as it was."""
    done = chance.randrange(1, len(old) // PAGE_BYTES) * PAGE_BYTES
    return Torn(b"\xff" * done + old[done:])


def _erase_unstable(old: bytes, chance: random.Random) -> Torn:
    """Erased, but some of the bits that were programmed read differently each time."""
    erased = b"\xff" * len(old)
    weak = _sparse(len(old), 0.01, chance)
    return Torn(erased, bytes(~byte & bit for byte, bit in zip(old, weak, strict=True)))


WRITES: Final[tuple[tuple[str, WriteShape], ...]] = (
    ("bits", _write_bits),
    ("words", _write_words),
    ("page", _write_page),
    ("stuck", _write_stuck),
    ("faint", _write_faint),
    ("unstable", _write_unstable),
)
ERASES: Final[tuple[tuple[str, EraseShape], ...]] = (
    ("bits", _erase_bits),
    ("early", _erase_early),
    ("late", _erase_late),
    ("zeros", _erase_zeros),
    ("part", _erase_part),
    ("unstable", _erase_unstable),
)
MOST: Final = len(WRITES)  # so many tears of an operation show every shape
STABLE: Final = MOST - 1  # the shapes before "unstable", after which every read shows the same


def shape_name(kind: str, tear: int) -> str:
    """Return the name of the shape that tear number `tear` of a "write" or "erase" leaves."""
    shapes: tuple[tuple[str, object], ...] = WRITES if kind == "write" else ERASES
    return shapes[tear % len(shapes)][0]


def torn_write(data: bytes, unit_bytes: int, tear: int, chance: random.Random) -> Torn:
    """Return what tear number `tear` leaves of a program of `data` into erased units."""
    return WRITES[tear % len(WRITES)][1](data, unit_bytes, chance)


def torn_erase(old: bytes, tear: int, chance: random.Random) -> Torn:
    """Return what tear number `tear` leaves of a sector that held `old`."""
    return ERASES[tear % len(ERASES)][1](old, chance)

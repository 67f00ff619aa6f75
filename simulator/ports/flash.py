"""NOR flash in memory, with the rules of the real driver and a power cut at any operation.

Rules:
1. An erased sector reads 0xFF. A program operation writes whole units, each of them erased before.
2. Erasing takes one whole sector.
3. `cut_at(n, when)` cuts the power at operation n, counted from the call: BEFORE it happens, TORN inside it, or
   AFTER it. From then on every access raises PowerCut until `power_on()`.

PowerCut is a BaseException, because device code that catches Exception must not survive its own power cut. The flash
keeps only programmed sectors, as immutable bytes. So a snapshot costs one small dict copy, and a campaign can cut a
thousand times a second.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path

from device.errors import FlashError
from device.layout import MPS2, NvmLayout
from simulator.ports.torn import UnstableSector, torn_erase, torn_write

BEFORE = "before"
TORN = "torn"
AFTER = "after"
CUTS = (BEFORE, TORN, AFTER)

Snapshot = dict[int, bytes]


@cache
def _blank(length: int) -> bytes:
    """Return the content of an erased sector: one object for all units."""
    return b"\xff" * length


class PowerCut(BaseException):
    """The power was cut at flash operation number `operation`; 0 for an access after the cut."""

    def __init__(self, operation: int) -> None:
        self.operation = operation
        super().__init__(f"power cut at flash operation {operation}")


class SimFlash:
    """The whole NVM of one simulated unit; implements device.interfaces.Flash.

    `seed` makes torn operations repeatable. `operations` counts programs and erases since construction.
    """

    def __init__(self, layout: NvmLayout = MPS2, seed: int = 0) -> None:
        self.layout = layout
        self.size_bytes: int = layout.size_bytes
        self.sector_bytes: int = layout.sector_bytes
        self.unit_bytes: int = layout.unit_bytes
        self.operations = 0
        self.is_powered = True
        self.changes = (
            0  # grows whenever contents may have changed, so that readers can drop what they cached
        )
        self.on_operation: Callable[[str, int, int], None] | None = None  # kind, offset, length
        self.has_unstable_bits = False
        self._sectors: Snapshot = {}
        self._erased = _blank(self.sector_bytes)
        self._seed = seed
        self._countdown = 0
        self._when = BEFORE
        self._tear_number = 0

    @cached_property
    def _random(self) -> random.Random:
        """The generator of damage. Most units of a fleet never need its 2.5 kB."""
        return random.Random(self._seed)  # noqa: S311 - for damage, not for secrets

    # interfaces.Flash

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes. Raises FlashError outside the device."""
        self._check_power()
        self._check_range(offset, length)
        start = offset % self.sector_bytes
        if self.has_unstable_bits:
            return self._read_unstable(offset, length)
        if start + length <= self.sector_bytes:  # nearly all reads: littlefs reads 32 to 128 bytes
            sector: bytes = self._sectors.get(offset // self.sector_bytes, self._erased)
            return sector[start : start + length]
        parts = []
        while length > 0:
            start = offset % self.sector_bytes
            count = min(length, self.sector_bytes - start)
            sector = self._sectors.get(offset // self.sector_bytes, self._erased)
            parts.append(sector[start : start + count])
            offset += count
            length -= count
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        """Program whole erased units. Raises FlashError(reason, offset) if NOR rules forbid it."""
        self._check_power()
        self._check_range(offset, len(data))
        if offset % self.unit_bytes or len(data) % self.unit_bytes or not data:
            raise FlashError(reason="unaligned write", offset=offset)
        if self._stored(offset, len(data)).count(0xFF) != len(data):
            raise FlashError(reason="unit already programmed", offset=offset)
        data = bytes(data)
        self._operate(
            "write", offset, len(data), lambda: self._put(offset, data), lambda: self._tear(offset, data)
        )

    def erase(self, offset: int) -> None:
        """Erase one sector. Raises FlashError if `offset` is not its start."""
        self._check_power()
        self._check_range(offset, self.sector_bytes)
        if offset % self.sector_bytes:
            raise FlashError(reason="unaligned erase", offset=offset)
        number = offset // self.sector_bytes
        self._operate(
            "erase",
            offset,
            self.sector_bytes,
            lambda: self._erase(number),
            lambda: self._tear_erase(number),
        )

    # faults

    def cut_at(self, operation: int, when: str, tear: int = 0) -> None:
        """Cut the power at the `operation`-th program or erase from now (1 is the next one).

        `tear` selects the shape that a torn one leaves (torn.py).
        """
        if operation < 1 or when not in CUTS:
            raise ValueError("no such cut")
        self._countdown = operation
        self._when = when
        self._tear_number = tear

    def cut_now(self) -> None:
        """Cut the power; every access raises PowerCut until power_on()."""
        self.is_powered = False

    def power_on(self) -> None:
        """Restore the power and cancel any planned cut; contents stay."""
        self.is_powered = True
        self._countdown = 0

    def corrupt(self, offset: int, data: bytes) -> None:
        """Overwrite cells without NOR rules, as on a worn or attacked chip."""
        self._check_range(offset, len(data))
        self.changes += 1
        self._put(offset, bytes(data))

    # for readers of many small pieces, without the cost of read()

    def peek(self, sector: int, start: int, length: int) -> bytearray | None:
        """Return a copy of a piece of one sector; None if only read() can answer: no power, or unstable bits."""
        if not self.is_powered or self.has_unstable_bits:
            return None
        return bytearray(self._sectors.get(sector, self._erased)[start : start + length])

    def sectors(self, offset: int, count: int) -> tuple[bytes, ...]:
        """Return the contents of `count` sectors from the one at `offset` on, at no cost: sectors are immutable."""
        first = offset // self.sector_bytes
        return tuple([self._sectors.get(number, self._erased) for number in range(first, first + count)])

    def snapshot(self) -> Snapshot:
        """Return the contents. Cheap; later writes do not change it."""
        return dict(self._sectors)

    def restore(self, snapshot: Snapshot) -> None:
        """Restore a snapshot's contents and the power."""
        self._sectors = dict(snapshot)
        self.has_unstable_bits = any(isinstance(one, UnstableSector) for one in snapshot.values())
        self.changes += 1
        self.power_on()

    def image(self) -> bytes:
        """Return the contents as one flash image, the format of an emulator's NVM file."""
        return b"".join(
            self._sectors.get(number, self._erased) for number in range(self.size_bytes // self.sector_bytes)
        )

    def load_image(self, image: bytes) -> None:
        """Load the contents from a flash image. Raises FlashError if its size differs from the flash."""
        if len(image) != self.size_bytes:
            raise FlashError(reason="image size", offset=len(image))
        self._sectors = {}
        self.changes += 1
        for start in range(0, len(image), self.sector_bytes):
            sector = image[start : start + self.sector_bytes]
            if sector != self._erased:
                self._sectors[start // self.sector_bytes] = sector

    def save(self, path: Path) -> None:
        """Write the image to a file that only its owner can read, because it contains the unit's secrets."""
        path.touch(mode=0o600)
        path.write_bytes(self.image())

    # inside

    def _check_power(self) -> None:
        if not self.is_powered:
            raise PowerCut(0)

    def _check_range(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise FlashError(reason="out of range", offset=offset)

    def _operate(
        self, kind: str, offset: int, length: int, whole: Callable[[], object], torn: Callable[[], object]
    ) -> None:
        self.operations += 1
        self.changes += 1
        if self.on_operation is not None:
            self.on_operation(kind, offset, length)
        if self._countdown:
            self._countdown -= 1
            if self._countdown == 0:
                if self._when == TORN:
                    torn()
                elif self._when == AFTER:
                    whole()
                self.is_powered = False
                raise PowerCut(self.operations)
        whole()

    def _stored(self, offset: int, length: int) -> bytes:
        """Return what was written, whatever a read shows."""
        number, start = divmod(offset, self.sector_bytes)
        parts = []
        while length > 0:
            parts.append(bytes(self._sectors.get(number, self._erased)[start : start + length]))
            length -= len(parts[-1])
            number, start = number + 1, 0
        return b"".join(parts)

    def _read_unstable(self, offset: int, length: int) -> bytes:
        parts = []
        while length > 0:
            number, start = divmod(offset, self.sector_bytes)
            count = min(length, self.sector_bytes - start)
            sector = self._sectors.get(number, self._erased)
            if isinstance(sector, UnstableSector):
                parts.append(sector.read(start, count, self._random))
            else:
                parts.append(sector[start : start + count])
            offset += count
            length -= count
        return b"".join(parts)

    def _put(self, offset: int, data: bytes) -> None:
        while data:
            number, start = divmod(offset, self.sector_bytes)
            part, data = data[: self.sector_bytes - start], data[self.sector_bytes - start :]
            sector = self._sectors.get(number, self._erased)
            if isinstance(sector, UnstableSector):
                self._sectors[number] = sector.replaced(start, part)
            else:
                self._sectors[number] = sector[:start] + part + sector[start + len(part) :]
            offset += len(part)

    def _erase(self, number: int) -> None:
        self._sectors.pop(number, None)
        if self.has_unstable_bits:
            self.has_unstable_bits = any(isinstance(one, UnstableSector) for one in self._sectors.values())

    def _tear(self, offset: int, data: bytes) -> None:
        left = torn_write(data, self.unit_bytes, self._tear_number, self._random)
        self._put(offset, left.data)
        if any(left.unstable):
            self._weaken(offset, left.unstable)

    def _tear_erase(self, number: int) -> None:
        old = bytes(self._sectors.get(number, self._erased))
        left = torn_erase(old, self._tear_number, self._random)
        self._sectors[number] = left.data
        if any(left.unstable):
            self._weaken(number * self.sector_bytes, left.unstable)

    def _weaken(self, offset: int, mask: bytes) -> None:
        """Let the bits of `mask` read differently each time."""
        while mask:
            number, start = divmod(offset, self.sector_bytes)
            part, mask = mask[: self.sector_bytes - start], mask[self.sector_bytes - start :]
            sector = self._sectors.get(number, self._erased)
            whole = bytes(start) + part + bytes(self.sector_bytes - start - len(part))
            self._sectors[number] = UnstableSector(bytes(sector), whole)
            offset += len(part)
        self.has_unstable_bits = True

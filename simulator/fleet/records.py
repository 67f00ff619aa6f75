"""Records of a unit over those that all units share: a unit keeps only what it wrote. Implements interfaces.Records.

littlefs makes each write of a record whole or nothing (simulator/ports/records.py does it with the bytes that a board
has); here that is assumed. So a power cut of the fleet falls between two writes of records, never into one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device.errors import StorageError
from simulator.ports.flash import SimFlash

_same: dict[bytes, bytes] = {}  # one object for equal contents
_KEPT = 100_000


def shared(data: bytes) -> bytes:
    """Return `data`, or an equal object that was given before."""
    if len(_same) > _KEPT:
        _same.clear()
    return _same.setdefault(data, data)


class SharedRecords:
    """One region. `own`: what the unit wrote, None for what it deleted; it outlives this object."""

    def __init__(self, flash: SimFlash, base: Mapping[str, bytes], own: dict[str, bytes | None]) -> None:
        self._flash = flash
        self._base = base
        self._own = own

    def read(self, name: str) -> bytes | None:
        """Return the content of a record as it was written, None if absent. Raises PowerCut."""
        self._flash.read(0, 0)
        return self._own[name] if name in self._own else self._base.get(name)

    def write(self, name: str, data: bytes) -> None:
        """Replace the record. Raises PowerCut."""
        self._flash.read(0, 0)
        self._own[name] = shared(bytes(data))

    def delete(self, name: str) -> None:
        """Remove a record if it exists. Raises PowerCut."""
        self._flash.read(0, 0)
        if self._base.get(name) is not None:
            self._own[name] = None
        else:
            self._own.pop(name, None)

    def names(self) -> Sequence[str]:
        """Return the names of all records, sorted."""
        names = {name for name in self._base if self._own.get(name, b"") is not None}
        return sorted(names | {name for name, data in self._own.items() if data is not None})

    def format(self) -> None:
        """Raise StorageError: nobody resets a unit of a fleet to factory default."""
        raise StorageError(reason="a unit of a fleet is not reset")


class SharedFlash(SimFlash):
    """A flash whose equal sectors are one object in all units."""

    def _put(self, offset: int, data: bytes) -> None:
        super()._put(offset, data)
        first, last = offset // self.sector_bytes, (offset + len(data) - 1) // self.sector_bytes
        for number in range(first, last + 1):
            sector = self._sectors[number]
            if type(sector) is bytes:
                self._sectors[number] = shared(sector)

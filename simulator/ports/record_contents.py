"""The records that the bytes of a littlefs region hold, read once for the same bytes.

What a region holds is a function of its bytes, so two units with the same bytes share the answers, and a write
elsewhere in the flash forgets none. A region is read through a file system of its own, whose cache is a whole block:
reading a record takes a few reads of the flash in place of a hundred. `set_shared(False)` turns both off; then every
read goes through the file system that the unit mounted.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from littlefs import LittleFS, LittleFSError, UserContext, lfs

from device.errors import StorageError

KEPT = 2000  # regions; about 20 kB each
_ERR_NO_ENTRY = -2

Sectors = tuple[bytes, ...]

is_shared = True
_all: OrderedDict[Sectors, Contents] = OrderedDict()


class _Bytes(UserContext):
    """A block device that only reads."""

    def __init__(self, sectors: Sectors) -> None:
        self._sectors = sectors

    def read(self, cfg: object, block: int, off: int, size: int) -> bytearray:
        return bytearray(self._sectors[block][off : off + size])

    def prog(self, cfg: object, block: int, off: int, data: bytes) -> int:
        raise AssertionError("a write while records are read")

    def erase(self, cfg: object, block: int) -> int:
        raise AssertionError("an erase while records are read")

    def sync(self, cfg: object) -> int:
        return 0


class Contents:
    """The records of one region, read on demand and kept; None for one that does not exist."""

    def __init__(self, sectors: Sectors, sector_bytes: int) -> None:
        self._sectors = sectors
        self._sector_bytes = sector_bytes
        self._records: dict[str, bytes | None] = {}
        self._fs: LittleFS | None = None
        self._is_mountable: bool | None = None

    def is_mountable(self) -> bool:
        """Return whether the region mounts. If not, the unit's own file system gives the reason."""
        if self._is_mountable is None:
            fs = LittleFS(
                context=_Bytes(self._sectors),
                mount=False,
                block_size=self._sector_bytes,
                block_count=len(self._sectors),
                read_size=32,
                prog_size=32,
                lookahead_size=32,
                cache_size=self._sector_bytes,
            )
            try:
                fs.mount()
                self._fs, self._is_mountable = fs, True
            except LittleFSError:
                self._is_mountable = False
        return self._is_mountable

    def read(self, name: str) -> bytes | None:
        """Return a record's content. Call it only if the region is mountable. Raises StorageError."""
        if name not in self._records:
            try:
                self._records[name] = read_file(self._fs, name)
            except LittleFSError as error:
                raise StorageError(reason="littlefs", number=error.code) from None
        return self._records[name]


def of(sectors: Sectors, sector_bytes: int) -> Contents:
    """Return the records of a region with these bytes, one for each sector. Nothing is read yet."""
    found = _all.get(sectors)
    if found is None:
        found = _all[sectors] = Contents(sectors, sector_bytes)
        if len(_all) > KEPT:
            _all.popitem(last=False)
    return found


def set_shared(value: bool) -> None:
    """Share what was read between units with the same bytes, or read everything through the unit's file system."""
    global is_shared  # noqa: PLW0603 - a switch of the process, as remember.py's
    is_shared = value
    _all.clear()


def read_file(fs: Any, name: str) -> bytes | None:
    """Return the content of a file, None if it does not exist. Raises LittleFSError."""
    # Low-level calls, because LittleFS.open() closes a file twice after a failure and littlefs then aborts.
    try:
        handle = lfs.file_open(fs.fs, name, "r")
    except LittleFSError as error:
        if error.code == _ERR_NO_ENTRY:
            return None
        raise
    try:
        return bytes(lfs.file_read(fs.fs, handle, lfs.file_size(fs.fs, handle)))
    finally:
        lfs.file_close(fs.fs, handle)

"""Records on littlefs in simulated flash: the same on-disk format as MicroPython's VfsLfs2 on the board.

Geometry: docs/reference/memory-map.md, NVM map (block 4096, read = prog = lookahead = 32, cache 128). The simulator
opens the image of a board, and a board opens that of the simulator. As in the board's port, a write goes to NAME.new,
which is then renamed. Only `format()` formats: a region that does not mount raises StorageError.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from littlefs import LittleFS, LittleFSError, UserContext, lfs

from device.errors import FlashError, StorageError, StorageFullError
from device.layout import MPS2, NvmLayout
from simulator.ports import record_contents
from simulator.ports.flash import PowerCut, SimFlash
from simulator.ports.record_contents import Contents, read_file

PROG_BYTES = LOOKAHEAD_BYTES = 32
# The board reads 32 bytes at a time. The read size does not change what is on flash, and fewer reads are faster.
READ_BYTES = 128
CACHE_BYTES = 128
TEMPORARY = ".new"
NAME = re.compile(r"[a-z0-9._-]{1,32}")

_ERR_IO = -5
_ERR_NO_SPACE = -28


class _FlashContext(UserContext):
    """littlefs's block device over a window of the flash.

    littlefs-python ignores exceptions of a callback and continues as if the operation had succeeded. So each callback
    keeps its exception, littlefs gets an I/O error, and LfsRecords raises the kept exception.
    """

    def __init__(self, flash: SimFlash, offset: int) -> None:
        self._flash = flash
        self._offset = offset
        self._first = offset // flash.sector_bytes
        self.failure: BaseException | None = None

    def read(self, cfg: object, block: int, off: int, size: int) -> bytearray:
        piece = self._flash.peek(self._first + block, off, size)
        if piece is not None:  # nearly all of half a million reads of a flow
            return piece
        try:
            return bytearray(self._flash.read(self._at(block, off), size))
        except (FlashError, PowerCut) as failure:
            self.failure = failure
            return bytearray(size)  # a read callback cannot fail; LfsRecords checks `failure` afterwards

    def prog(self, cfg: object, block: int, off: int, data: bytes) -> int:
        return self._run(lambda: self._flash.write(self._at(block, off), bytes(data)))

    def erase(self, cfg: object, block: int) -> int:
        return self._run(lambda: self._flash.erase(self._at(block, 0)))

    def sync(self, cfg: object) -> int:
        return 0

    def _at(self, block: int, off: int) -> int:
        return self._offset + block * self._flash.sector_bytes + off

    def _run(self, operation: Callable[[], None]) -> int:
        if self.failure is not None:
            return _ERR_IO
        try:
            operation()
        except (FlashError, PowerCut) as failure:
            self.failure = failure
            return _ERR_IO
        return 0


class LfsRecords:
    """One littlefs region as named records; implements device.interfaces.Records.

    Call `mount()` first; it raises StorageError if there is no file system. `format()` makes an empty one, which only
    an unlocked unit or a factory reset may do.
    """

    def __init__(self, flash: SimFlash, offset: int, length: int) -> None:
        self._context = _FlashContext(flash, offset)
        self._flash = flash
        self._offset = offset
        self._blocks = length // flash.sector_bytes
        self._known: Contents | None = None  # what the region's bytes hold, as far as it was read
        self._known_at = -1
        self._fs: LittleFS | None = None  # mounted by the first access that needs it

    def _new(self) -> LittleFS:
        return LittleFS(
            context=self._context,
            mount=False,
            block_size=self._flash.sector_bytes,
            block_count=self._blocks,
            read_size=READ_BYTES,
            prog_size=PROG_BYTES,
            lookahead_size=LOOKAHEAD_BYTES,
            cache_size=CACHE_BYTES,
        )

    def mount(self) -> None:
        """Open the region; writes nothing. Raises StorageError if there is no file system, FlashError.

        A NAME.new of an interrupted write stays hidden until the next write of that name replaces it.
        """
        self._fs, self._known_at = None, -1
        self._flash.read(self._offset, 1)  # raises PowerCut
        known = self._contents()
        if known is None or not known.is_mountable():
            self._mounted()

    def _mounted(self) -> LittleFS:
        """Return the file system of this object, mounted. Raises StorageError, FlashError."""
        if self._fs is None:
            fs = self._new()
            with self._errors():
                fs.mount()
            self._fs = fs
        return self._fs

    def _contents(self) -> Contents | None:
        """Return what the region's present bytes hold, None if every read goes through the unit's file system."""
        if not record_contents.is_shared or not self._flash.is_powered or self._flash.has_unstable_bits:
            return None
        if self._known is None or self._known_at != self._flash.changes:
            sectors = self._flash.sectors(self._offset, self._blocks)
            self._known = record_contents.of(sectors, self._flash.sector_bytes)
            self._known_at = self._flash.changes
        return self._known

    def format(self) -> None:
        """Make an empty file system, then mount it. Raises FlashError."""
        with self._errors():
            self._new().format()
        self.mount()

    def erase_all(self) -> None:
        """Erase every sector of the region, including free blocks (factory reset)."""
        for number in range(self._blocks):
            self._flash.erase(self._offset + number * self._flash.sector_bytes)

    def read(self, name: str) -> bytes | None:
        """Return the content of a record as it was written, None if absent. Raises StorageError."""
        self._check(name)
        known = self._contents()
        if known is not None and known.is_mountable():
            return known.read(name)
        fs = self._mounted()
        with self._errors():
            return read_file(fs, name)

    def write(self, name: str, data: bytes) -> None:
        """Replace the record by `data`, durably. Raises StorageFullError, StorageError."""
        self._check(name)
        fs = self._mounted()
        try:
            with self._errors():
                self._put(fs, name + TEMPORARY, data)
                fs.rename(name + TEMPORARY, name)
        except StorageFullError:
            with self._errors(), contextlib.suppress(FileNotFoundError):
                fs.remove(name + TEMPORARY)
            raise

    def delete(self, name: str) -> None:
        """Remove a record if it exists. Raises StorageError."""
        self._check(name)
        fs = self._mounted()
        with self._errors(), contextlib.suppress(FileNotFoundError):
            fs.remove(name)

    def names(self) -> Sequence[str]:
        """Return the names of all records, sorted."""
        fs = self._mounted()
        with self._errors():
            return sorted(name for name in fs.listdir("/") if not name.endswith(TEMPORARY))

    def _put(self, fs: LittleFS, name: str, data: bytes) -> None:
        # Low-level calls, because LittleFS.open() closes a file twice after a failed write and littlefs then aborts.
        handle = lfs.file_open(fs.fs, name, "w")
        try:
            lfs.file_write(fs.fs, handle, bytes(data))
        finally:
            lfs.file_close(fs.fs, handle)

    def _check(self, name: str) -> None:
        # The port uses the suffix ".new" itself, so such a name could collide.
        if not NAME.fullmatch(name) or name.endswith(TEMPORARY):
            raise StorageError(reason="bad name")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        self._context.failure = None
        try:
            yield
        except LittleFSError as error:
            self._raise_kept()
            if error.code == _ERR_NO_SPACE:
                raise StorageFullError(reason="no space") from None
            raise StorageError(reason="littlefs", number=error.code) from None
        finally:
            self._raise_kept()

    def _raise_kept(self) -> None:
        if self._context.failure is not None:
            failure, self._context.failure = self._context.failure, None
            raise failure


def device_records(flash: SimFlash, layout: NvmLayout = MPS2) -> LfsRecords:
    """Return the region that survives a factory reset, not yet mounted."""
    return LfsRecords(flash, layout.device_offset, layout.device_bytes)


def user_records(flash: SimFlash, layout: NvmLayout = MPS2) -> LfsRecords:
    """Return the region that a factory reset erases, not yet mounted."""
    return LfsRecords(flash, layout.user_offset, layout.user_bytes)


@cache
def fresh_user_region(layout: NvmLayout) -> bytes:
    """Return the bytes of the user region of a unit that leaves the factory."""
    flash = SimFlash(layout)
    user_records(flash, layout).format()
    return flash.read(layout.user_offset, layout.user_bytes)

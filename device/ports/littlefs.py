"""Records on littlefs, for every board whose MicroPython has `vfs.VfsLfs2`.

Rules:
1. The file system is an object and is never mounted into MicroPython's own tree, so no import can find a file in it.
2. A record is written as NAME.new, closed, then renamed: littlefs replaces the old name in one step.
3. Two littlefs instances on one region would destroy it, so `Regions` opens each region once.
4. Nothing formats by itself, and nothing formats the `device` region of a locked unit.
"""

import vfs

from device.compat import const
from device.errors import StorageError, StorageFullError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

_ENOENT = const(2)
_ENOSPC = const(28)

_UNIT_BYTES = const(32)  # read and lookahead size (docs/reference/memory-map.md, NVM map)
_NAME_MAX = const(32)
_NAME_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789._-"
_NEW = ".new"


class LittlefsRecords:
    """interfaces.Records on the littlefs of one block device. Call `open()` or `format()` first.

    `region` names the region in errors; `program_bytes` is what the chip programs at once.
    """

    def __init__(self, region: str, device: "Any", program_bytes: int = _UNIT_BYTES) -> None:
        self._region = region
        self._device = device
        self._program_bytes = program_bytes
        self._fs: "Any" = None

    def open(self) -> None:
        """Mount; writes nothing. Raises StorageError if there is no file system."""
        try:
            self._fs = vfs.VfsLfs2(
                self._device,
                readsize=_UNIT_BYTES,
                progsize=self._program_bytes,
                lookahead=_UNIT_BYTES,
                mtime=False,  # the boards have no clock whose time would mean anything
            )
        except OSError:
            raise StorageError(reason="does not mount", region=self._region) from None

    def format(self) -> None:
        """Make an empty file system and mount it. Raises StorageError."""
        self._fs = None
        try:
            vfs.VfsLfs2.mkfs(
                self._device, readsize=_UNIT_BYTES, progsize=self._program_bytes, lookahead=_UNIT_BYTES
            )
        except OSError:
            raise StorageError(reason="format", region=self._region) from None
        self.open()

    def read(self, name: str) -> "bytes | None":
        """Return the content of a record as it was written, None if it is absent. Raises StorageError."""
        try:
            with self._opened(name).open(name, "rb") as file:
                data: bytes = file.read()
        except OSError as error:
            if error.args[0] == _ENOENT:
                return None
            raise _storage_error(error, name) from None
        return data

    def write(self, name: str, data: bytes) -> None:
        """Store durably: a power cut leaves the old content or the new. Raises StorageFullError, StorageError."""
        fs = self._opened(name)
        try:
            with fs.open(name + _NEW, "wb") as file:
                if file.write(data) != len(data):
                    raise OSError(_ENOSPC)
            fs.rename(name + _NEW, name)
        except OSError as error:
            self._drop_new(name)
            raise _storage_error(error, name) from None

    def delete(self, name: str) -> None:
        """Remove a record; an absent one stays absent. Raises StorageError."""
        try:
            self._opened(name).remove(name)
        except OSError as error:
            if error.args[0] != _ENOENT:
                raise _storage_error(error, name) from None

    def names(self) -> "Sequence[str]":
        """Return the names of all records, sorted; a half-written record does not count. Raises StorageError."""
        try:
            found = [entry[0] for entry in self._mounted().ilistdir("/")]
        except OSError as error:
            raise _storage_error(error, "") from None
        return sorted([name for name in found if not name.endswith(_NEW)])

    def _mounted(self) -> "Any":
        if self._fs is None:
            raise StorageError(reason="not mounted", region=self._region)
        return self._fs

    def _opened(self, name: str) -> "Any":
        """Return the file system if `name` is allowed in it: only the port itself uses names that end in ".new"."""
        is_good = 0 < len(name) <= _NAME_MAX and not name.endswith(_NEW)
        if not is_good or any([char not in _NAME_CHARS for char in name]):
            raise StorageError(reason="bad name")
        return self._mounted()

    def _drop_new(self, name: str) -> None:
        try:
            self._fs.remove(name + _NEW)
        except OSError:
            pass  # `names` leaves the file out, and the next write of that name replaces it


def _storage_error(error: "OSError", name: str) -> "StorageError":
    if error.args[0] == _ENOSPC:
        return StorageFullError(name=name)
    return StorageError(reason="littlefs", number=error.args[0], name=name)


class Regions:
    """`mount` and `format` of agent.Ports: the regions "device" and "user", each opened once.

    `devices` maps the name of a region to its block device.
    """

    def __init__(self, devices: "dict[str, Any]", is_locked: bool, program_bytes: int = _UNIT_BYTES) -> None:
        self._records = {name: LittlefsRecords(name, devices[name], program_bytes) for name in devices}
        self._open: "set[str]" = set()
        self._is_locked = is_locked

    def mount(self, region: str) -> "LittlefsRecords":
        """Return the records of `region`. Raises StorageError if nothing mounts."""
        records = self._records[region]
        if region not in self._open:
            records.open()
            self._open.add(region)
        return records

    def format(self, region: str) -> "LittlefsRecords":
        """Empty `region` and give its records. Raises StorageError, also for "device" of a locked unit."""
        if self._is_locked and region == "device":
            raise StorageError(reason="locked", region=region)
        records = self._records[region]
        self._open.discard(region)
        records.format()
        self._open.add(region)
        return records

"""Flash and Records for chips whose MicroPython offers flash as block devices (esp32.Partition, rp2.Flash).

Rules:
1. Regions are block devices laid end to end in one address space, so that policy sees one NVM (layout.NvmLayout).
2. NOR rules are enforced here, whatever the chip would let pass: only blank units are programmed, and every
   write is read back.
3. A write never erases. Chips that program whole pages get the rest of the page as 0xFF, which changes no bit.
4. A record is written as NAME.new, closed, then renamed: littlefs replaces the old name in one step.
5. Nothing here formats, except `format_region`, which a unit calls only before it is locked.

Not yet run on hardware; run against block devices in memory (tests/unit/device/ports/test_chip_ports.py).
"""

from collections import namedtuple

from device.compat import const
from device.errors import FlashError, StorageError, StorageFullError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

# Values of the block-device protocol (MicroPython, class os.AbstractBlockDev)
_IOCTL_BLOCK_COUNT = const(4)
_IOCTL_BLOCK_ERASE = const(6)

_ENOENT = const(2)
_ENOSPC = const(28)

# offset: first byte of the region in the address space; size_bytes: a multiple of the sector
Region = namedtuple("Region", ("offset", "size_bytes", "device"))

_NAME_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789._-"
_NEW = ".new"


def lay_out(devices: "Sequence[Any]", sector_bytes: int) -> "tuple[Region, ...]":
    """Give `devices` as regions, one behind the other from offset 0."""
    regions = []
    offset = 0
    for device in devices:
        size = device.ioctl(_IOCTL_BLOCK_COUNT, 0) * sector_bytes
        regions.append(Region(offset, size, device))
        offset += size
    return tuple(regions)


class BlockFlash:
    """interfaces.Flash over regions. `page_bytes` is what the chip programs at once. Raises FlashError."""

    def __init__(
        self,
        regions: "Sequence[Region]",
        *,
        sector_bytes: int = 4096,
        unit_bytes: int = 32,
        page_bytes: int = 32,
    ) -> None:
        self._regions = regions
        self._page_bytes = page_bytes
        self.sector_bytes = sector_bytes
        self.unit_bytes = unit_bytes
        self.size_bytes = sum([region.size_bytes for region in regions])

    def read(self, offset: int, length: int) -> bytes:
        """Give `length` bytes from `offset`; they lie in one region."""
        region = self._region(offset, length)
        data = bytearray(length)
        at = offset - region.offset
        try:
            region.device.readblocks(at // self.sector_bytes, data, at % self.sector_bytes)
        except OSError:
            raise FlashError(reason="read", offset=offset) from None
        return bytes(data)

    def write(self, offset: int, data: bytes) -> None:
        """Program blank units at `offset`, then compare what is stored with `data`."""
        if not data or offset % self.unit_bytes or len(data) % self.unit_bytes:
            raise FlashError(reason="not whole units", offset=offset)
        region = self._region(offset, len(data))
        if self.read(offset, len(data)) != b"\xff" * len(data):
            raise FlashError(reason="not erased", offset=offset)
        at = offset - region.offset
        front = at % self._page_bytes
        back = -(at + len(data)) % self._page_bytes
        page_data = b"\xff" * front + data + b"\xff" * back if front or back else data
        start = at - front
        try:
            region.device.writeblocks(start // self.sector_bytes, page_data, start % self.sector_bytes)
        except OSError:
            raise FlashError(reason="write", offset=offset) from None
        if self.read(offset, len(data)) != data:
            raise FlashError(reason="read back differs", offset=offset)

    def erase(self, offset: int) -> None:
        """Erase the sector at `offset`, which must be its first byte."""
        if offset % self.sector_bytes:
            raise FlashError(reason="not a sector", offset=offset)
        region = self._region(offset, self.sector_bytes)
        try:
            region.device.ioctl(_IOCTL_BLOCK_ERASE, (offset - region.offset) // self.sector_bytes)
        except OSError:
            raise FlashError(reason="erase", offset=offset) from None

    def _region(self, offset: int, length: int) -> "Region":
        for region in self._regions:
            if (
                region.offset <= offset
                and offset + length <= region.offset + region.size_bytes
                and length >= 0
            ):
                return region
        raise FlashError(reason="outside", offset=offset)


def mount_region(device: "Any", program_bytes: int) -> "LittlefsRecords":
    """Give the records of the littlefs on `device`. Raises StorageError where there is none: never formats."""
    from vfs import VfsLfs2

    try:
        return LittlefsRecords(VfsLfs2(device, readsize=32, progsize=program_bytes, lookahead=32))
    except OSError:
        raise StorageError(reason="not readable") from None


def format_region(device: "Any", program_bytes: int) -> None:
    """Make an empty littlefs on `device`. Raises StorageError. Only a unit that is not locked calls this."""
    from vfs import VfsLfs2

    try:
        VfsLfs2.mkfs(device, readsize=32, progsize=program_bytes, lookahead=32)
    except OSError:
        raise StorageError(reason="format") from None


class LittlefsRecords:
    """interfaces.Records on one littlefs, used as an object and never mounted: no import can reach it."""

    def __init__(self, filesystem: "Any") -> None:
        self._files = filesystem

    def read(self, name: str) -> "bytes | None":
        """Give the stored bytes of `name`, None when there is no such record."""
        _check_name(name)
        try:
            file = self._files.open(name, "rb")
        except OSError as error:
            if error.args[0] == _ENOENT:
                return None
            raise StorageError(reason="read", name=name) from None
        try:
            data: bytes = file.read()
            return data
        except OSError:
            raise StorageError(reason="read", name=name) from None
        finally:
            file.close()

    def write(self, name: str, data: bytes) -> None:
        """Store `data` under `name`, durable on return; a power cut leaves the old data or the new."""
        _check_name(name)
        try:
            file = self._files.open(name + _NEW, "wb")
            try:
                file.write(data)
            finally:
                file.close()
            self._files.rename(name + _NEW, name)
        except OSError as error:
            if error.args[0] == _ENOSPC:
                raise StorageFullError(name=name) from None
            raise StorageError(reason="write", name=name) from None

    def delete(self, name: str) -> None:
        """Remove `name`; one that is absent stays absent."""
        _check_name(name)
        try:
            self._files.remove(name)
        except OSError as error:
            if error.args[0] != _ENOENT:
                raise StorageError(reason="delete", name=name) from None

    def names(self) -> "list[str]":
        """Give the names of all records; a half-written one is none."""
        try:
            return sorted([entry[0] for entry in self._files.ilistdir("/") if not entry[0].endswith(_NEW)])
        except OSError:
            raise StorageError(reason="list") from None


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 32 or name.endswith(_NEW) or any([char not in _NAME_CHARS for char in name]):
        raise StorageError(reason="name")

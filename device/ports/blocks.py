"""Flash for chips whose MicroPython offers flash as block devices (esp32.Partition, rp2.Flash).

Rules:
1. Regions are block devices end to end in one address space, so that policy sees one NVM (layout.NvmLayout).
2. The port enforces NOR rules even if the chip does not: it programs blank units only and reads every write back.
3. A write never erases. Chips that program whole pages get the rest of the page as 0xFF, which changes no bit.

Not yet run on hardware; run against block devices in memory (tests/unit/device/ports/test_chip_ports.py).
"""

from collections import namedtuple

from device.compat import const
from device.errors import FlashError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

# Values of the block-device protocol (MicroPython, class os.AbstractBlockDev)
_IOCTL_BLOCK_COUNT = const(4)
_IOCTL_BLOCK_ERASE = const(6)

# offset: first byte of the region in the address space; size_bytes: a multiple of the sector
Region = namedtuple("Region", ("offset", "size_bytes", "device"))


def lay_out(devices: "Sequence[Any]", sector_bytes: int) -> "tuple[Region, ...]":
    """Return `devices` as regions that follow each other from offset 0."""
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
        """Return `length` bytes from `offset`; they lie in one region."""
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

"""NOR flash in a bytearray, for dual tests: the same rules as the drivers, small enough for the board's heap."""

from device.errors import FlashError
from device.layout import NvmLayout

SMALL = NvmLayout(
    size_bytes=0x2A000,
    sector_bytes=4096,
    unit_bytes=32,
    lock_offsets=(0x0000, 0x1000),
    counter_offset=0x2000,
    counter_sectors=1,
    revocation_offset=0x3000,
    entropy_offset=0x4000,
    slot_offsets=(0x6000, 0xB000),
    slot_bytes=0x5000,  # four sectors for the image, one for the trailer
    device_offset=0x10000,
    device_bytes=0x8000,  # room for littlefs, if a test has one
    user_offset=0x18000,
    user_bytes=0x8000,
    set_offsets=(0x20000, 0x25000),
    set_bytes=0x5000,  # three sectors for the bundle, two for its binding and its marks
)


class MemoryFlash:
    def __init__(self, layout=SMALL):
        self.size_bytes = layout.size_bytes
        self.sector_bytes = layout.sector_bytes
        self.unit_bytes = layout.unit_bytes
        self.data = bytearray(b"\xff" * layout.size_bytes)  # MicroPython does not multiply a bytearray
        self.erased = []

    def read(self, offset, length):
        return bytes(self.data[offset : offset + length])

    def write(self, offset, data):
        if offset % self.unit_bytes or len(data) % self.unit_bytes:
            raise FlashError(reason="unit", offset=offset)
        if self.read(offset, len(data)) != b"\xff" * len(data):
            raise FlashError(reason="not erased", offset=offset)
        self.data[offset : offset + len(data)] = data

    def erase(self, offset):
        if offset % self.sector_bytes:
            raise FlashError(reason="sector", offset=offset)
        self.data[offset : offset + self.sector_bytes] = b"\xff" * self.sector_bytes
        self.erased.append(offset)

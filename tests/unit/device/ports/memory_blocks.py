"""A block device in memory, for ports that take flash as one (esp32.Partition, rp2.Flash)."""

SECTOR = 4096


class MemoryBlocks:
    """A block device that programs whole pages and, like NOR flash, only clears bits."""

    def __init__(self, sectors: int, page_bytes: int = 1) -> None:
        self.data = bytearray(b"\xff" * sectors * SECTOR)
        self.page_bytes = page_bytes

    def ioctl(self, operation: int, argument: int) -> int:
        if operation == 4:
            return len(self.data) // SECTOR
        assert operation == 6
        self.data[argument * SECTOR : (argument + 1) * SECTOR] = b"\xff" * SECTOR
        return 0

    def readblocks(self, block: int, buffer: bytearray, offset: int) -> None:
        at = block * SECTOR + offset
        buffer[:] = self.data[at : at + len(buffer)]

    def writeblocks(self, block: int, data: bytes, offset: int) -> None:
        at = block * SECTOR + offset
        if at % self.page_bytes or len(data) % self.page_bytes:
            raise OSError(22)
        for index, value in enumerate(data):
            self.data[at + index] &= value

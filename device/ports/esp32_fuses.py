"""ESP32-C3 and S3: lock, counter, key store and encrypted flash, on the C module `_fbesp`. NOT YET RUN ON HARDWARE.

A build without secure boot and flash encryption does not need this file. The module: device/boards/esp32/mod_fbesp.c.

1. Lock: block 3 of the eFuses (user data). Its Reed-Solomon code lets it be written once, so the lock takes the whole
   block, and a custom MAC address is not possible beside it. A block that is not blank or cannot be read is a lock.
2. Security counter: the field of ESP-IDF's anti-rollback, 16 bits in block 0. The boot loader compares the image with
   it; ESP-IDF raises it at the confirm. A 17th step does not exist.
3. Key store: the HMAC peripheral with a key block of the purpose HMAC_UP, which software cannot read.
4. Under flash encryption an erased sector does not read as 0xFF. `read` of `_fbesp` reads the raw flash too, and gives
   0xFF for each unit that is blank there.
"""

import _fbesp

from device.compat import const
from device.errors import StorageError
from device.layout import UNIT_LOCKED

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

COUNTER_MAX = const(16)
_SECTOR_BYTES = const(4096)


class EspFuses:
    """Lock and security counter (rules 1 and 2), as device/ports/fuses.py takes them."""

    counter_max = COUNTER_MAX

    def is_locked(self) -> bool:
        """Return whether any bit of block 3 is set, or the block cannot be read."""
        return bool(_fbesp.is_locked())

    def lock(self) -> None:
        """Burn block 3 and write-protect it. Raises OSError."""
        _fbesp.lock(UNIT_LOCKED)

    def counter(self) -> int:
        """Return the security counter, 0 to COUNTER_MAX. Raises OSError."""
        return int(_fbesp.counter())

    def raise_counter(self, value: int) -> None:
        """Burn bits until the counter is `value`. Raises OSError."""
        _fbesp.raise_counter(value)


class EspKeyStore:
    """interfaces.KeyStore on the HMAC peripheral (rule 3)."""

    def __init__(self, key_block: int) -> None:
        self._key_block = key_block

    def keyed_digest(self, data: bytes) -> bytes:
        """Return HMAC-SHA-256 of `data` under the chip's key, 32 bytes. Raises StorageError."""
        try:
            digest: bytes = _fbesp.hmac(self._key_block, data)
        except OSError:
            raise StorageError(reason="key store") from None
        return digest


def key_store() -> "EspKeyStore | None":
    """Return the chip's key store, None if no key block has the purpose HMAC_UP."""
    block = _fbesp.hmac_block()
    return None if block is None else EspKeyStore(block)


class EncryptedBlocks:
    """A partition under flash encryption as a block device whose erased units read as 0xFF (rule 4)."""

    def __init__(self, partition: "Any") -> None:
        self._partition = partition
        self._label = partition.info()[4]

    def ioctl(self, operation: int, argument: int) -> "Any":
        """As esp32.Partition.ioctl. Raises OSError."""
        return self._partition.ioctl(operation, argument)

    def readblocks(self, block: int, buffer: bytearray, offset: int) -> None:
        """Fill `buffer` from byte `offset` of sector `block`. Raises OSError."""
        _fbesp.read(self._label, block * _SECTOR_BYTES + offset, buffer)

    def writeblocks(self, block: int, data: bytes, offset: int) -> None:
        """As esp32.Partition.writeblocks; the driver encrypts. Raises OSError."""
        self._partition.writeblocks(block, data, offset)

"""A chip's key store in memory: a key that callers cannot read, and a switch that makes it fail."""

from __future__ import annotations

import hashlib
import hmac

from device.errors import StorageError


class SimKeyStore:
    """Implements device.interfaces.KeyStore. `chip_key` is the key that each real chip has in fuses."""

    def __init__(self, chip_key: bytes) -> None:
        self._chip_key = chip_key
        self.is_broken = False

    def __repr__(self) -> str:
        return "SimKeyStore()"

    def keyed_digest(self, data: bytes) -> bytes:
        """Return the HMAC-SHA-256 of `data` under the chip's key. Raises StorageError if `is_broken`."""
        if self.is_broken:
            raise StorageError(reason="key store")
        return hmac.digest(self._chip_key, data, hashlib.sha256)

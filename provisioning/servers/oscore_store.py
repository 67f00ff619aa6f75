"""OSCORE credentials of the units, one file each, and the server's own sequence numbers.

Rules:
1. Files have mode 0600 and the unit's sender id as name. No error and no `repr` shows a secret.
2. The server's sender sequence numbers are reserved durably before use. At every start they begin above the stored
   number and above a number from the clock (RESTORE_STEP_PER_S per second since 2025), so a store that was restored
   from a backup or copied uses no nonce twice. Not covered: a restored or lost file and two starts within one second,
   or more numbers than RESTORE_STEP_PER_S a second since the backup (the server takes one for each challenge).
3. No replay window is stored: after a start the first request of each unit is challenged with Echo
   (RFC 8613 appendix B.1.2).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from provisioning import file_system

SERVER_ID: Final = b"fb"
DEVICE_ID_BYTES: Final = 16
SENDER_ID_BYTES: Final = 7
RESERVE_STEP: Final = 256
OWNER: Final = "owner"
RESTORE_EPOCH_S: Final = (
    1_735_689_600  # 2025-01-01; at 256 a second from then on, the numbers last beyond the year 2150
)
RESTORE_STEP_PER_S: Final = 256


class OscoreStoreError(ValueError):
    """An entry is damaged, or another unit has the same sender id."""


@dataclass(frozen=True)
class OscoreUnit:
    """The credentials that the server shares with one unit."""

    device_id: bytes
    secret: bytes = field(repr=False)
    salt: bytes = field(repr=False)

    @property
    def sender_id(self) -> bytes:
        """Return the unit's sender id, which its requests carry."""
        return self.device_id[:SENDER_ID_BYTES]


class OscoreStore:
    """The credentials in a directory. Units can be added while a server uses it."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        self.directory = directory
        self._clock = clock
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, device_id: bytes, secret: bytes, salt: bytes) -> OscoreUnit:
        """Store a unit's credentials; the same unit again replaces them. Raises OscoreStoreError."""
        if len(device_id) != DEVICE_ID_BYTES or len(secret) != 16 or len(salt) != 8:
            raise OscoreStoreError("a device id and a secret have 16 bytes, a salt has 8")
        unit = OscoreUnit(device_id, secret, salt)
        known = self.find(unit.sender_id)
        if known is not None and known.device_id != device_id:
            raise OscoreStoreError(f"another unit has the sender id {unit.sender_id.hex()}")
        entry = {"device_id": device_id.hex(), "secret": secret.hex(), "salt": salt.hex()}
        self._write(self._path(unit.sender_id, "unit"), json.dumps(entry))
        return unit

    def find(self, sender_id: bytes) -> OscoreUnit | None:
        """Return the unit with this sender id, or None. Raises OscoreStoreError for a damaged entry."""
        if len(sender_id) != SENDER_ID_BYTES:
            return None
        data = file_system.read_if_there(self._path(sender_id, "unit"))
        if data is None:
            return None
        try:
            entry = json.loads(data)
            unit = OscoreUnit(*(bytes.fromhex(entry[name]) for name in ("device_id", "secret", "salt")))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise OscoreStoreError(f"entry {sender_id.hex()} is damaged") from None
        if unit.sender_id != sender_id:
            raise OscoreStoreError(f"entry {sender_id.hex()} belongs to another unit")
        return unit

    def remove(self, device_id: bytes) -> bool:
        """Remove a unit's access. Returns whether it had any. Its sequence number stays, so no number is used twice."""
        unit = self.find(device_id[:SENDER_ID_BYTES])
        if unit is None or unit.device_id != device_id:
            return False
        self._path(unit.sender_id, "unit").unlink(missing_ok=True)
        return True

    def claim(self, owner: str) -> None:
        """Note that `owner` counts the numbers of this store's units; "" is the store itself. The first one stays.

        Servers that count in different places would use one number twice. Raises OscoreStoreError, OSError.
        """
        path = self.directory / OWNER
        known = (file_system.read_if_there(path) or b"").decode(errors="replace")
        if known == owner:
            return
        if known:
            raise OscoreStoreError(
                f"{self.directory} belongs to the server database {known}: name that one, or import the units' "
                "secrets into a new folder"
            )
        self._write(path, owner)

    def count(self) -> int:
        """Return how many units have access."""
        with os.scandir(self.directory) as entries:
            return sum(one.name.endswith(".unit") for one in entries)

    def first_sequence(self, sender_id: bytes) -> int:
        """Return the first number that the server may use with this unit after a start. As find, and OSError."""
        elapsed_s = max(0, int(self._clock()) - RESTORE_EPOCH_S)
        data = file_system.read_if_there(self._path(sender_id, "sequence"))
        try:
            stored = 0 if data is None else int(data)
        except ValueError:
            raise OscoreStoreError(f"sequence of {sender_id.hex()} is damaged") from None
        return max(stored, elapsed_s * RESTORE_STEP_PER_S)

    def reserve(self, sender_id: bytes, upto: int) -> None:
        """Store durably that numbers below `upto` may have been used."""
        self._write(self._path(sender_id, "sequence"), str(upto))

    def _path(self, sender_id: bytes, kind: str) -> Path:
        return self.directory / f"{sender_id.hex()}.{kind}"

    def _write(self, path: Path, text: str) -> None:
        file_system.replace_file(path, text.encode(), mode=file_system.PRIVATE)

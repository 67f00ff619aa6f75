"""A lock that lets one process at a time use a folder of durable state.

Two CoAP servers that share a credential store would use the same OSCORE numbers, and with them the same nonces. Two
trackers that share a clock file would not see each other's jumps.
"""

from __future__ import annotations

import os
from pathlib import Path

from provisioning.file_system import lock
from provisioning.servers.errors import ServerError
from provisioning.servers.service import Service


class FolderInUseError(ServerError):
    """Another process uses the folder."""


class FolderLock(Service):
    """The lock on the file `NAME.lock` in a folder, from start() to stop(). The system releases it after a kill."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.lock"
        self._descriptor: int | None = None

    def start(self) -> None:
        """Create the folder (mode 0700) if it is missing, and take the lock. Raises FolderInUseError, OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            lock(descriptor, is_waiting=False)
        except BlockingIOError:
            os.close(descriptor)
            raise FolderInUseError(
                f"another server uses {self._path.parent}: stop it, or give this one a folder of its own"
            ) from None
        self._descriptor = descriptor

    def stop(self) -> None:
        """Release the lock."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

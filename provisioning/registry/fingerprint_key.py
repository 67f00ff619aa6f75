"""The secret key of a registry's fingerprints, and its file (rule 3 of `database.py`)."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from provisioning import file_system
from provisioning.registry.errors import RegistryError

KEY_BYTES: Final = 32


def fingerprint(key: bytes, purpose: str, data: bytes) -> bytes:
    """Return the HMAC-SHA-256 of `data` for one purpose: 32 bytes, useless without the registry's key."""
    return hmac.digest(key, purpose.encode() + b"\0" + data, "sha256")


def read_key(path: Path) -> bytes:
    """Return the fingerprint key in a file. Raises RegistryError if other users can read it or if it is damaged."""
    if path.stat().st_mode & 0o077:
        raise RegistryError(f"{path.name} can be read by others; set its mode to 0600")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise RegistryError(f"{path.name} is damaged: {len(key)} bytes instead of {KEY_BYTES}")
    return key


def create_private(path: Path, data: bytes) -> None:
    """Write a new file with mode 0600. It appears complete and on disk, or not at all.

    If another process creates the file first, that file stays: read it back to get the valid content.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with file_system.naming(path), os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # unlike a rename, a link replaces nothing
    finally:
        draft.unlink()
    file_system.sync_folder(path.parent)

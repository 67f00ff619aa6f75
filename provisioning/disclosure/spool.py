"""Mails as they came, and attachments in quarantine: files with the name of their SHA-256.

Rules:
1. A mail is in the spool, complete and on disk, before the store knows it. After a restore of the store, the spool is
   read again: nothing that came is lost.
2. A file is written once, readable by its owner only, never executable, and its name never comes from a sender.
3. The spool has a size. Beyond it nothing more is taken in: mail stays on its server or in its folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from provisioning import file_system
from provisioning.disclosure.errors import SpoolFullError
from provisioning.file_system import paths_in

MOST_BYTES: Final = 4 << 30
_MAIL: Final = ".eml"
_QUARANTINED: Final = ".bin"


class Spool:
    """The folder of one store's mails and attachments. `most_bytes`: its size."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self._most_bytes = most_bytes
        self._used: int | None = None

    def keep_mail(self, data: bytes) -> bytes:
        """Write a mail and return its SHA-256. Raises SpoolFullError, OSError."""
        return self._keep(data, _MAIL)

    def keep_attachment(self, data: bytes) -> bytes:
        """Write an attachment into quarantine and return its SHA-256. Raises SpoolFullError, OSError."""
        return self._keep(data, _QUARANTINED)

    def mails(self) -> Iterator[tuple[bytes, Path]]:
        """Yield SHA-256 and path of every mail, in the order of their names."""
        for path in paths_in(self.folder, f"*{_MAIL}"):
            with contextlib.suppress(ValueError):
                yield bytes.fromhex(path.stem), path

    def path_of(self, digest: bytes) -> Path:
        """Return the path of the mail with this SHA-256."""
        return self.folder / f"{digest.hex()}{_MAIL}"

    def remove(self, mails: Iterable[bytes], attachments: Iterable[bytes]) -> int:
        """Delete the files with these SHA-256. Return how many were there. Raises OSError."""
        paths = [self.path_of(digest) for digest in mails]
        paths += [self.folder / f"{digest.hex()}{_QUARANTINED}" for digest in attachments]
        there = [path for path in paths if path.exists()]
        for path in there:
            path.unlink(missing_ok=True)
        if there:
            file_system.sync_folder(self.folder)
            self._used = None
        return len(there)

    def require_space(self, size: int) -> None:
        """Raise SpoolFullError if `size` more bytes do not fit (rule 3)."""
        if self._used is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._used = sum(one.stat().st_size for one in self.folder.iterdir() if one.is_file())
        if self._used + size > self._most_bytes:
            raise SpoolFullError(
                f"the spool has reached its size of {self._most_bytes} bytes: mail is not taken in. Make space, then"
                " run the command again"
            )

    def _keep(self, data: bytes, suffix: str) -> bytes:
        digest = hashlib.sha256(data).digest()
        path = self.folder / f"{digest.hex()}{suffix}"
        if path.exists():
            return digest
        self.require_space(len(data))
        draft = self.folder / f".{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        file_system.sync_folder(self.folder)
        self._used = (self._used or 0) + len(data)
        return digest

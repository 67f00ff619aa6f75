"""The published files of one product class, which the CoAP server serves.

Layout: DIRECTORY/CLASS/manifest, support, contact, keyset, o/SHA256, and current.json (the objects of the manifest).
Each file is replaced atomically. The manifest is written last, so a device never sees a manifest whose objects are
missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from provisioning.release.release import Release

FILE_MODE: Final = 0o644  # published files are public; the server may run as another user than the publisher
NAME: Final = re.compile(r"manifest|support|contact|keyset|o/[0-9a-f]{64}")


class PublishError(RuntimeError):
    """Something could not be published, or is missing after it was published."""


class ReleaseStore:
    """The published files of `class_id` below `directory`."""

    def __init__(self, directory: Path, class_id: bytes, *, is_reader: bool = False) -> None:
        """`is_reader`: for a server, which reads only; the folder may be missing until something is published."""
        self.class_id = class_id
        self.directory = directory / class_id.hex()
        if not is_reader:
            (self.directory / "o").mkdir(parents=True, exist_ok=True)
        self._etags: dict[str, tuple[tuple[int, int, int], bytes]] = {}

    # --- publishing ----------------------------------------------------------------------------------
    def put_release(self, release: Release) -> None:
        """Write the objects, then current.json, then the manifest."""
        objects = {digest.hex(): data for digest, data in release.whole_objects().items()}
        for name, data in objects.items():
            self.put_raw(f"o/{name}", data)
        current = {"sequence": release.sequence_number, "objects": sorted(objects)}
        self._replace(self.directory / "current.json", json.dumps(current).encode())
        self.put_raw("manifest", release.envelope)

    def put_support(self, record: bytes) -> None:
        """Publish a signed support record."""
        self.put_raw("support", record)

    def put_contact(self, record: bytes) -> None:
        """Publish a signed security contact."""
        self.put_raw("contact", record)

    def put_keyset(self, record: bytes) -> None:
        """Publish a signed key set."""
        self.put_raw("keyset", record)

    def put_raw(self, name: str, data: bytes) -> None:
        """Write one published name; the content is not checked. Raises PublishError for another name."""
        self._replace(self._path(name), data)

    def remove_superseded(self) -> list[str]:
        """Delete the objects that the current manifest does not need. Returns their names."""
        try:
            keep = set(json.loads((self.directory / "current.json").read_bytes())["objects"])
        except FileNotFoundError:
            return []
        removed = []
        for path in sorted((self.directory / "o").iterdir()):
            if path.name not in keep and NAME.fullmatch(f"o/{path.name}"):
                path.unlink()
                removed.append(f"o/{path.name}")
        return removed

    # --- serving -------------------------------------------------------------------------------------
    def size(self, name: str) -> int | None:
        """Return the size in bytes of a published name; None if it is not published."""
        if not NAME.fullmatch(name):
            return None
        try:
            return self._path(name).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of a published name from `start`, at most `length`. Raises FileNotFoundError."""
        with self._path(name).open("rb") as file:
            file.seek(start)
            return file.read() if length is None else file.read(length)

    def totals(self) -> tuple[int, int]:
        """Return how many published files there are, and their size in bytes."""
        sizes = []
        for folder in (self.directory, self.directory / "o"):
            if not folder.is_dir():
                continue
            prefix = "o/" if folder.name == "o" else ""
            with os.scandir(folder) as entries:
                sizes += [one.stat().st_size for one in entries if NAME.fullmatch(prefix + one.name)]
        return len(sizes), sum(sizes)

    def etag(self, name: str) -> bytes:
        """Eight bytes that change with the content. Raises FileNotFoundError."""
        stat = self._path(name).stat()
        key = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        known = self._etags.get(name)
        if known is None or known[0] != key:
            known = self._etags[name] = (key, hashlib.sha256(self.read(name)).digest()[:8])
        return known[1]

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise PublishError(f"{name!r} is not a name that can be published")
        return self.directory / name

    def _replace(self, path: Path, data: bytes) -> None:
        descriptor, draft = tempfile.mkstemp(dir=self.directory, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(draft, FILE_MODE)
            os.replace(draft, path)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            raise

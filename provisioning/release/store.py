"""The published files of one product class, which the CoAP server serves.

Layout: DIRECTORY/CLASS/manifest, support, contact, keyset, o/SHA256, current.json (the objects of the manifest), and
rollout.json (what the tracker signs of a rollout; no device fetches it).

Rules:
1. Each file is replaced atomically, and is durable when the operation returns: the file, its name in the folder, and
   the folder itself. So what was reported as published is still there after a power cut.
2. The manifest is written last, so a device never sees a manifest whose objects are missing.
3. current.json names the manifest that it belongs to. If a publish was interrupted between the two files, nothing is
   removed until a release is published again: the manifest that is served still needs its objects.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Final

from provisioning.file_system import naming, paths_in, sync_folder
from provisioning.release.release import Release

FILE_MODE: Final = 0o644  # published files are public; the server may run as another user than the publisher
DRAFT: Final = ".new-"
DRAFT_S: Final = 86400  # a draft this old has no writer any more
ROLLOUT: Final = "rollout.json"
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
            _make_folder(self.directory / "o")
        self._etags: dict[str, tuple[tuple[int, int, int], bytes]] = {}

    @property
    def rollout_path(self) -> Path:
        """The file of what the tracker signs of a rollout."""
        return self.directory / ROLLOUT

    # --- publishing ----------------------------------------------------------------------------------
    def put_release(self, release: Release) -> None:
        """Write the objects, then current.json, then the manifest."""
        objects = {digest.hex(): data for digest, data in release.whole_objects().items()}
        for name, data in objects.items():
            self.put_raw(f"o/{name}", data)
        current = {
            "sequence": release.sequence_number,
            "objects": sorted(objects),
            "manifest": hashlib.sha256(release.envelope).hexdigest(),
        }
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

    def put_rollout(self, data: bytes | None) -> None:
        """Write what the tracker signs of a rollout; None removes it. Raises OSError."""
        path = self.rollout_path
        if data is not None:
            self._replace(path, data)
        elif path.exists():
            path.unlink()
            sync_folder(self.directory)

    def put_raw(self, name: str, data: bytes) -> None:
        """Write one published name; the content is not checked. Raises PublishError for another name."""
        self._replace(self._path(name), data)

    def remove_superseded(self) -> list[str]:
        """Delete the objects that the current manifest does not need, and drafts that a killed publisher left.

        Returns the names of the objects. Raises PublishError if current.json cannot be read or is not about this
        manifest (rule 3), OSError.
        """
        try:
            keep = self._needed()
        except FileNotFoundError:
            return []
        for draft in paths_in(self.directory, DRAFT + "*"):
            if time.time() - draft.stat().st_mtime > DRAFT_S:
                draft.unlink(missing_ok=True)
        removed = []
        for path in sorted((self.directory / "o").iterdir()):
            if path.name not in keep and NAME.fullmatch(f"o/{path.name}"):
                path.unlink()
                removed.append(f"o/{path.name}")
        return removed

    def _needed(self) -> set[str]:
        """Return the digests (hex) of the objects of the published manifest. Raises as remove_superseded."""
        found = (self.directory / "current.json").read_bytes()
        try:
            current = json.loads(found)
            needed = {str(one) for one in current["objects"]}
            manifest = current.get("manifest")  # version 0.1 wrote none
        except (ValueError, KeyError, TypeError, AttributeError):
            raise PublishError(
                f"{self.directory / 'current.json'} is damaged: publish the release again; nothing was removed"
            ) from None
        if manifest is not None and hashlib.sha256(self.read("manifest")).hexdigest() != manifest:
            raise PublishError(
                f"{self.directory} holds the manifest of another release than current.json, so a publish was "
                "interrupted: publish the release again; nothing was removed"
            )
        return needed

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

    def rollout(self) -> bytes | None:
        """Return what put_rollout wrote, None without a rollout. Raises OSError."""
        try:
            return self.rollout_path.read_bytes()
        except FileNotFoundError:
            return None

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
        descriptor, draft = tempfile.mkstemp(dir=self.directory, prefix=DRAFT)
        try:
            with naming(path, draft=Path(draft)):
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.chmod(draft, FILE_MODE)
                os.replace(draft, path)
                sync_folder(path.parent)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            raise


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents; the new names are durable on return. Raises OSError."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        sync_folder(one.parent)

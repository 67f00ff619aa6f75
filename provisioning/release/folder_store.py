"""A release store in a folder.

Layout: DIRECTORY/CLASS/manifest, support, contact, keyset, o/SHA256, current.json (the objects of the manifest), and
rollout.json (the rollout record).

Rules, beside those of store.py:
1. Each file is replaced atomically: the file, its name in the folder, and the folder itself are durable on return.
2. The manifest is written last.
3. current.json names the manifest that it belongs to. If a publish was interrupted between the two files, nothing is
   removed until a release is published again: the manifest that is served still needs its objects.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from provisioning.file_system import naming, paths_in, sync_folder
from provisioning.release.release import Release
from provisioning.release.store import NAME, Part, PublishError, ReleaseStore, etag_of, require_name

FILE_MODE: Final = 0o644  # published files are public; the server may run as another user than the publisher
DRAFT: Final = ".new-"
DRAFT_S: Final = 86400  # a draft this old has no writer any more
ROLLOUT: Final = "rollout.json"


class FolderStore(ReleaseStore):
    """The published files of `class_id` below `directory`. Every method raises OSError if the folder fails."""

    def __init__(self, directory: Path, class_id: bytes, *, is_reader: bool = False) -> None:
        """`is_reader`: for a server, which reads only; the folder may be missing until something is published."""
        self.directory = directory / class_id.hex()
        super().__init__(class_id, str(self.directory))
        if not is_reader:
            _make_folder(self.directory / "o")
        self._etags: dict[str, tuple[tuple[int, int, int], bytes]] = {}

    # --- publishing ----------------------------------------------------------------------------------
    def put_release(self, release: Release) -> None:
        """As ReleaseStore: the objects, then current.json, then the manifest."""
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

    def put_rollout(self, data: bytes | None) -> None:
        """As ReleaseStore."""
        path = self.directory / ROLLOUT
        if data is not None:
            self._replace(path, data)
        elif path.exists():
            path.unlink()
            sync_folder(self.directory)

    def put_raw(self, name: str, data: bytes) -> None:
        """As ReleaseStore."""
        self._replace(self.directory / require_name(name), data)

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
    def part(self, name: str, start: int, length: int) -> Part | None:
        """As ReleaseStore. A file that is replaced meanwhile is read to the end of this call."""
        if not NAME.fullmatch(name):
            return None
        try:
            with (self.directory / name).open("rb") as file:
                etag = self._etag(name, file)
                size = file.seek(0, os.SEEK_END)
                file.seek(start)
                return Part(file.read(length), size, etag)
        except FileNotFoundError:
            return None

    def published(self, name: str) -> bytes | None:
        """As ReleaseStore."""
        try:
            return (self.directory / require_name(name)).read_bytes()
        except FileNotFoundError:
            return None

    def rollout(self) -> bytes | None:
        """As ReleaseStore."""
        try:
            return (self.directory / ROLLOUT).read_bytes()
        except FileNotFoundError:
            return None

    def totals(self) -> tuple[int, int]:
        """As ReleaseStore."""
        sizes = []
        for folder in (self.directory, self.directory / "o"):
            if not folder.is_dir():
                continue
            prefix = "o/" if folder.name == "o" else ""
            with os.scandir(folder) as entries:
                sizes += [one.stat().st_size for one in entries if NAME.fullmatch(prefix + one.name)]
        return len(sizes), sum(sizes)

    def etag(self, name: str) -> bytes | None:
        """As ReleaseStore."""
        found = self.part(name, 0, 0)
        return None if found is None else found.etag

    def _etag(self, name: str, file: io.BufferedReader) -> bytes:
        stat = os.fstat(file.fileno())
        key = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        known = self._etags.get(name)
        if known is None or known[0] != key:
            known = self._etags[name] = (key, etag_of(hashlib.file_digest(file, "sha256").digest()))
        return known[1]

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

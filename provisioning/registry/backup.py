"""Back up and restore a registry in a file, and check that a backup can be restored.

Rules:
1. A backup is one folder: a consistent copy of the database (stations can go on working), the fingerprint
   key, and the newest checkpoint. The station's key is not in it: if that key is lost, a new key begins a new
   chain.
2. A restored registry may be older than what its stations did. So it skips serial numbers, begins new chains,
   and opens an incident for each batch. No number or code is given out twice unnoticed.
3. A backup is checked when it is made.

For a registry in PostgreSQL, use pg_dump and back up the key files with it.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import select, update

from provisioning.file_system import FULL, naming
from provisioning.registry import merge
from provisioning.registry.chains import Report
from provisioning.registry.database import DATABASE_ERRORS, failure
from provisioning.registry.errors import RegistryError, UnavailableError
from provisioning.registry.fingerprint_key import create_private
from provisioning.registry.models import Batch, Chain
from provisioning.registry.numbers import skip_numbers
from provisioning.registry.registry import Registry

DATABASE_NAME: Final = "registry.db"
KEY_NAME: Final = "registry.db.key"
CHECKPOINT_NAME: Final = "checkpoint.json"
SKIPPED_NUMBERS: Final = 10_000
RESTORED: Final = "restored"  # kind of the incident of each batch that had not shipped


@dataclass(frozen=True)
class Backup:
    """A checked backup. `report`: the result of the check of its chains."""

    folder: Path
    report: Report


def backup(registry: Registry, folder: Path) -> Backup:
    """Write a backup into a new folder, open it to check it, and return it. Raises RegistryError."""
    file = registry.database.location.file
    if file is None:
        raise RegistryError(
            "this registry is in PostgreSQL: back it up with pg_dump, together with its key files"
        )
    if folder.exists():
        raise RegistryError(f"{folder.name} exists already; name a new folder for the backup")
    checkpoint = registry.checkpoint()
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        _copy_database(file, draft / DATABASE_NAME)
        create_private(draft / KEY_NAME, registry.database.location.key_path.read_bytes())
        create_private(draft / CHECKPOINT_NAME, checkpoint.encode())
        report = check_backup(draft)
        draft.rename(folder)
    except OSError as error:
        kind = UnavailableError if error.errno in FULL else RegistryError
        raise kind(f"the backup {folder} cannot be written: {error.strerror}") from None
    except DATABASE_ERRORS as error:
        raise failure(error, f"the backup {folder} cannot be written") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Backup(folder, report)


def check_backup(folder: Path) -> Report:
    """Restore a backup into a temporary folder, check it there, and return what its chains hold.

    Raises RegistryError.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / DATABASE_NAME
        _take(folder, path)
        registry = Registry(path)
        try:
            return registry.verify([(folder / CHECKPOINT_NAME).read_text()])
        finally:
            registry.close()


def restore(folder: Path, path: Path, *, by: str, skipped: int = SKIPPED_NUMBERS) -> Report:
    """Restore a backup to `path`, where no registry exists yet, and return what its chains hold (rule 2).

    Raises RegistryError; ChainError if the backup is damaged.
    """
    if path.exists():
        raise RegistryError(
            f"{path.name} exists; move the damaged registry away first, it may still be needed"
        )
    report = check_backup(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.restoring")
    try:
        with naming(path, draft=draft):
            _take(folder, draft)
            _mark_restored(draft, by, skipped)
            draft.with_name(draft.name + ".key").rename(path.with_name(path.name + ".key"))
            draft.rename(path)
    finally:
        for end in ("", ".key", "-wal", "-shm"):
            draft.with_name(draft.name + end).unlink(missing_ok=True)
    return report


def _mark_restored(path: Path, by: str, skipped: int) -> None:
    """Apply rule 2 to a restored registry."""
    registry = Registry(path)
    try:
        with registry.writing() as session:
            skip_numbers(session, skipped)
            session.execute(update(Chain).values(is_open=False))
            text = f"restored from a backup by {by}: units made after it may be missing; sync or count them"
            for batch in session.scalars(select(Batch).where(Batch.shipped_s.is_(None))):
                merge.note_incident(session, RESTORED, batch.number, text, registry.now())
    finally:
        registry.close()


def _copy_database(source: Path, target: Path) -> None:
    """Copy through SQLite itself, so that the copy includes what is still in the WAL."""
    target.touch(mode=0o600)
    reader, writer = sqlite3.connect(source), sqlite3.connect(target)
    try:
        reader.backup(writer)
    finally:
        writer.close()
        reader.close()


def _take(folder: Path, path: Path) -> None:
    for name, target in ((DATABASE_NAME, path), (KEY_NAME, path.with_name(path.name + ".key"))):
        source = folder / name
        if not source.is_file():
            raise RegistryError(f"{folder.name} is not a backup: {name} is missing")
        target.touch(mode=0o600)
        shutil.copyfile(source, target)
        target.chmod(0o600)

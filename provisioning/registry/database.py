"""Open a registry's database durably, and its fingerprint key so that only its owner can read it.

Rules:
1. A commit is on disk when it returns (SQLite: WAL, synchronous FULL; PostgreSQL: synchronous_commit as
   configured on the server, checked to be on).
2. A write transaction takes the write lock when it begins (SQLite: BEGIN IMMEDIATE; PostgreSQL: an advisory
   lock), so two stations never decide on the same old state. Reading takes no lock.
3. The fingerprint key is in a file with mode 0600 and is checked at every start. With another key, old codes
   would not be recognised, so a registry without its key is refused (PW-10).
4. An address holds no password: PostgreSQL's own ~/.pgpass or PGPASSWORD holds it.
5. Only `create_database` creates a registry. A mistyped name must not start a second one, which would give
   out the same serial numbers again. An error of disk, rights or server is reported as such, never as a
   missing registry.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from provisioning.file_system import FULL
from provisioning.registry import schema
from provisioning.registry.engine import check_durability, make_engine
from provisioning.registry.errors import RegistryError, UnavailableError
from provisioning.registry.fingerprint_key import KEY_BYTES, create_private, fingerprint, read_key
from provisioning.registry.location import Location
from provisioning.registry.schema import REGISTRY, StoreKind

CHECK_NAME: Final = "key check"
ID_NAME: Final = "registry id"
DATABASE_ERRORS: Final = (DatabaseError, sqlite3.Error, psycopg.Error)
_NEXT_STEPS: Final = {  # by the beginning of SQLite's error name
    "SQLITE_FULL": "; free space on the disk, then try again",
    "SQLITE_READONLY": "; make the file and its folder writable for this user",
    "SQLITE_CANTOPEN": "; check that this user may write in the folder of the database",
    "SQLITE_BUSY": "; another program has locked the database: end it, then try again",
    "SQLITE_IOERR": "; check disk and file system",
}


_TEMPORARY: Final = ("SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_PROTOCOL")
_WRONG_LOGIN: Final = ("authentication failed", "does not exist", "no password supplied", "pg_hba.conf")


@dataclass(frozen=True)
class Database:
    """An open database. `key` is secret."""

    engine: Engine
    registry_id: bytes
    location: Location
    key: bytes = field(repr=False)
    file_identity: tuple[int, int] = (0, 0)
    kind: StoreKind = REGISTRY

    def require_file(self) -> None:
        """Raise RegistryError if the open file was removed or replaced.

        SQLite keeps using such a file, and everything it commits there is lost when the process ends.
        """
        file = self.location.file
        if file is None or (found := _identity(file)) == self.file_identity:
            return
        what = "is gone" if found == (0, 0) else "was replaced while it was in use"
        raise RegistryError(
            f"{file.name} {what}: restore the {self.kind.noun}, then start the {self.kind.user} again"
        )

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a session in one durable transaction. Raises RegistryError if the database fails."""
        with reporting_errors(self), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that takes no lock. The objects that it returns stay readable after it ends."""
        options = {"is_reading": True}
        with (
            reporting_errors(self),
            Session(self.engine.execution_options(**options), expire_on_commit=False) as session,
        ):
            yield session


@contextlib.contextmanager
def reporting_errors(database: Database) -> Iterator[None]:
    """Turn a database error into one sentence: disk full, file lost, server gone. Raises RegistryError."""
    try:
        yield
    except DATABASE_ERRORS as error:
        database.require_file()  # a lost file explains more than the error that it causes
        raise failure(
            error, f"{database.location.name}: the {database.kind.noun}'s database failed"
        ) from None
    database.require_file()


def failure(error: BaseException, what: str) -> RegistryError:
    """Return the error that reports a database error: UnavailableError if the same command can succeed later."""
    text = f"{what}: {failure_text(error)}"
    if not _is_temporary(error):
        return RegistryError(text)
    return UnavailableError(text, is_full=_code(error) == "SQLITE_FULL")


def _code(error: BaseException) -> str:
    cause = error.orig if isinstance(error, DatabaseError) else error
    return getattr(cause, "sqlite_errorname", "") or ""


def _is_temporary(error: BaseException) -> bool:
    cause = error.orig if isinstance(error, DatabaseError) else error
    if isinstance(
        cause, psycopg.OperationalError
    ):  # a stopped server has no error code, and a wrong password has none
        return not any(word in str(cause) for word in _WRONG_LOGIN)
    return _code(error).startswith(_TEMPORARY)


def failure_text(error: BaseException) -> str:
    """Return the first line of the database's message, and the next step if it is known."""
    cause = (error.orig if isinstance(error, DatabaseError) else error) or error
    lines = str(cause).strip().splitlines()
    text = lines[0] if lines else type(cause).__name__
    name = getattr(cause, "sqlite_errorname", "") or ""
    return text + next((step for start, step in _NEXT_STEPS.items() if name.startswith(start)), "")


def _is_foreign(error: BaseException) -> bool:
    return _code(error).startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT"))


def _identity(file: Path | None) -> tuple[int, int]:
    """Return (device, inode) of the file, which changes if the file is replaced; (0, 0) if it does not exist."""
    try:
        found = os.stat(file) if file is not None else None
    except FileNotFoundError:
        found = None
    return (found.st_dev, found.st_ino) if found is not None else (0, 0)


def open_database(location: Location, kind: StoreKind = REGISTRY) -> Database:
    """Open an existing registry. Raises RegistryError, with different texts for a missing and a failing registry."""
    if location.file is not None:
        _require_present(location.file, kind)
    return _opened(location, kind, lambda connection: _require_tables(connection, location, kind))


def create_database(
    location: Location, *, key: bytes | None = None, exist_ok: bool = False, kind: StoreKind = REGISTRY
) -> Database:
    """Create a registry with `key` or a new fingerprint key. Raises RegistryError if it exists already.

    `exist_ok`: open the existing registry instead. An empty file counts as no registry, so that a station
    which lost power while it created one can repeat the command.
    """
    is_new = False
    try:
        location.folder.mkdir(parents=True, exist_ok=True)
        if location.file is not None:
            is_new = reserve_file(location.file) and not location.key_path.exists()
    except OSError as error:
        raise _file_failure(error, f"the {kind.noun} {location.name}", "created") from None

    def fill(connection: Connection) -> None:
        if not schema.prepare(connection, kind):
            if not exist_ok:
                raise RegistryError(f"there is a {kind.noun} at {location.name} already; nothing was changed")
            return
        with Session(connection) as session:
            found = _new_key(location.key_path, key)
            session.add(kind.setting(name=ID_NAME, value=secrets.token_bytes(16)))
            session.add(kind.setting(name=CHECK_NAME, value=_check_value(found)))
            session.flush()

    try:
        return _opened(location, kind, fill)
    except UnavailableError as error:
        # A lock means that another station fills the file: it stays.
        if is_new and error.is_full:
            _remove_new(location)
        raise


def reserve_file(file: Path) -> bool:
    """Create an empty private file for a database. Return False if there is a file already. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def _remove_new(location: Location) -> None:
    """Remove what a failed `create_database` left: its files hold nothing."""
    assert location.file is not None  # noqa: S101 - only a file is new
    for end in ("", "-wal", "-shm", "-journal"):
        location.file.with_name(location.file.name + end).unlink(missing_ok=True)
    location.key_path.unlink(missing_ok=True)


def _opened(location: Location, kind: StoreKind, prepare: Callable[[Connection], None]) -> Database:
    engine = make_engine(location, has_foreign_keys=True)
    try:
        migrate_tables(location, kind)
        with engine.begin() as connection:
            check_durability(connection)
            prepare(connection)
            with Session(connection) as session:
                found = _existing_key(location.key_path)
                _check(session, found, location.key_path, kind)
                registry_id: bytes = session.get_one(kind.setting, ID_NAME).value
    except DATABASE_ERRORS as error:
        engine.dispose()
        what = f"is not a {kind.noun}, or it is damaged" if _is_foreign(error) else "cannot be opened"
        raise failure(error, f"the {kind.noun} {location.name} {what}") from None
    except OSError as error:
        engine.dispose()
        raise _file_failure(error, location.name, "read") from None
    return Database(engine, registry_id, location, found, _identity(location.file), kind)


def _file_failure(error: OSError, name: str, action: str) -> RegistryError:
    text = f"{error.filename or name} cannot be {action}: {error.strerror}"
    return UnavailableError(text, is_full=True) if error.errno in FULL else RegistryError(text)


def _require_present(file: Path, kind: StoreKind) -> None:
    """Raise RegistryError if the file is missing (rule 5) or cannot be examined."""
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise RegistryError(_absent_text(str(file), kind)) from None
    except OSError as error:
        raise RegistryError(f"the {kind.noun} {file} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise RegistryError(f"{file} is not a file: name the {kind.noun}'s file")


def _require_tables(connection: Connection, location: Location, kind: StoreKind) -> None:
    if schema.revision(connection) == "":
        raise RegistryError(_absent_text(location.name, kind))
    schema.prepare(connection, kind)


def _absent_text(name: str, kind: StoreKind) -> str:
    return f"there is no {kind.noun} {name}: check the name, or create one with {kind.create}"


def migrate_tables(location: Location, kind: StoreKind, *, wait_s: int | None = None) -> None:
    """Migrate the older schema of a database in one transaction. Raises RegistryError and DATABASE_ERRORS.

    SQLite changes a table by replacing it, which it allows only while foreign keys are off. They are checked
    before the commit.
    """
    engine = make_engine(location, has_foreign_keys=False, wait_s=wait_s)
    try:
        with engine.begin() as connection:
            found = schema.revision(connection)
            if found in kind.known and found != kind.head:
                schema.migrate(connection, found, kind=kind)
                if location.file is not None and connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                    raise RegistryError(
                        f"the {kind.noun} cannot be migrated: its tables contradict each other"
                    )
    finally:
        engine.dispose()


def _check_value(key: bytes) -> bytes:
    return fingerprint(key, "registry key check", b"")


def _check(session: Session, key: bytes, key_path: Path, kind: StoreKind) -> None:
    stored = session.get(kind.setting, CHECK_NAME)
    if stored is None or not hmac.compare_digest(stored.value, _check_value(key)):
        raise RegistryError(f"{key_path.name} is not the key of this {kind.noun}")


def _new_key(path: Path, wanted: bytes | None) -> bytes:
    if not path.exists():
        create_private(path, wanted or secrets.token_bytes(KEY_BYTES))
    return read_key(path)


def _existing_key(path: Path) -> bytes:
    try:
        return read_key(path)
    except FileNotFoundError:
        raise RegistryError(
            f"{path.name} is missing: without it old set-up codes cannot be recognised; restore it"
        ) from None

"""The registry's file and its key: opened durably, readable by its owner only.

Rules:
1. A commit is on disk when it returns (WAL, synchronous FULL).
2. A write transaction takes the write lock when it begins, so two stations never decide on the same old state.
3. The key of the fingerprints lies beside the file, mode 0600, and is checked at every start: with another key
   old codes would not be recognised, so a registry without its key is refused (PW-10).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from provisioning.registry.models import Base, Setting

KEY_BYTES: Final = 32
CHECK_NAME: Final = "key check"
SCHEMA_NAME: Final = "schema"
SCHEMA: Final = b"1"
BUSY_S: Final = 30


class RegistryError(Exception):
    """The registry refuses or cannot be used; the text holds no secret."""


def open_engine(path: Path) -> tuple[Engine, bytes]:
    """(engine, fingerprint key) of the registry at `path`, both made where there is none. Raises RegistryError."""
    key_path = path.with_suffix(path.suffix + ".key")
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # an empty file is an empty database; its mode stays
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    try:
        with Session(engine) as session:
            is_new = not _has_schema(session)
            key = _key(key_path, is_new=is_new)
            if is_new:
                Base.metadata.create_all(session.connection())
                session.add(Setting(name=SCHEMA_NAME, value=SCHEMA))
                session.add(Setting(name=CHECK_NAME, value=_check_value(key)))
                session.commit()
            _check(session, key, key_path)
    except DatabaseError as error:
        raise RegistryError(f"{path} is no registry ({type(error).__name__})") from error
    return engine, key


def fingerprint(key: bytes, purpose: str, data: bytes) -> bytes:
    """HMAC-SHA-256 of `data` for one purpose; 32 bytes, useless without the registry's key."""
    return hmac.digest(key, purpose.encode() + b"\0" + data, "sha256")


def _check_value(key: bytes) -> bytes:
    return fingerprint(key, "registry key check", b"")


def _check(session: Session, key: bytes, key_path: Path) -> None:
    schema = session.get(Setting, SCHEMA_NAME)
    if schema is None or schema.value != SCHEMA:
        raise RegistryError("the registry was written by another version of this program")
    stored = session.get(Setting, CHECK_NAME)
    if stored is None or not hmac.compare_digest(stored.value, _check_value(key)):
        raise RegistryError(f"{key_path.name} is not the key of this registry")


def _key(path: Path, *, is_new: bool) -> bytes:
    if not path.exists():
        if not is_new:
            raise RegistryError(
                f"{path.name} is missing: without it old set-up codes cannot be recognised; restore it"
            )
        _create_private(path, secrets.token_bytes(KEY_BYTES))
    if path.stat().st_mode & 0o077:
        raise RegistryError(f"{path.name} can be read by others; set its mode to 0600")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise RegistryError(f"{path.name} is damaged: {len(key)} bytes instead of {KEY_BYTES}")
    return key


def _create_private(path: Path, data: bytes) -> None:
    """A new file of mode 0600, complete and on disk under its name or not there at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    os.replace(draft, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _has_schema(session: Session) -> bool:
    rows = session.connection().exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").all()
    return bool(rows)


def _on_connect(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where _on_begin says, not where the driver guesses
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def chain_hash(previous: bytes, body: str) -> bytes:
    """The hash of a production record behind `previous` (32 bytes)."""
    return hashlib.sha256(previous + body.encode()).digest()

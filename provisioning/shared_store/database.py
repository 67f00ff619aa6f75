"""The database that several server processes share: PostgreSQL, or a SQLite file for processes of one machine.

Rules:
1. A commit is on disk when it returns, so what was acknowledged survives kill -9 and a crash of the database server.
2. Each statement is atomic by itself. Processes do not wait for a lock of the whole database; two of them that change
   one row are put in order by the database.
3. Only `create` creates one. A mistyped name must not start a second one, in which no number was used yet.
4. An address holds no password: PostgreSQL's own ~/.pgpass or PGPASSWORD holds it.
5. Every failure of the database is a SharedStoreError. A server that does not answer is given WAIT_S seconds.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, insert, select

from provisioning.registry import schema
from provisioning.registry.database import DATABASE_ERRORS, failure, migrate_tables, reserve_file
from provisioning.registry.engine import check_durability, make_engine
from provisioning.registry.errors import RegistryError, UnavailableError
from provisioning.registry.location import Location
from provisioning.registry.schema import StoreKind
from provisioning.servers.errors import ServerError
from provisioning.shared_store.models import Base, Setting

WAIT_S: Final = 5
ID: Final = "database id"
SERVERS: Final = StoreKind(
    noun="server database",
    metadata=Base.metadata,
    setting=Setting,
    known=("servers 0001", "servers 0002"),
    scripts="provisioning.shared_store:migrations",
    create="firstboot serve init-database",
    user="server",
)


class SharedStoreError(ServerError):
    """The server database cannot be used, or is not one."""


class SharedStoreUnavailableError(SharedStoreError):
    """The server database does not answer, is locked, or its disk is full: try again after that ends."""


class SharedDatabase:
    """An open server database. `id`: 16 bytes that name it. Raises SharedStoreError."""

    def __init__(self, address: str) -> None:
        """Open the database at a file or postgresql://... Raises SharedStoreError if it is missing."""
        self._location = _location(address)
        if self._location.file is not None and not self._location.file.is_file():
            raise SharedStoreError(_absent(self.name))
        self._engine = make_engine(self._location, has_foreign_keys=True, wait_s=WAIT_S)
        try:
            self.id = self._required()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, address: str) -> SharedDatabase:
        """Create the tables, and open them. Raises SharedStoreError if there are some already."""
        location = _location(address)
        if location.file is not None:
            try:
                reserve_file(location.file)
            except OSError as error:
                raise SharedStoreError(f"{location.name} cannot be created: {error.strerror}") from None
        engine = make_engine(location, has_foreign_keys=True, wait_s=WAIT_S)
        try:
            with _reporting(location.name), engine.begin() as connection:
                check_durability(connection)
                if not schema.prepare(connection, SERVERS):
                    raise SharedStoreError(
                        f"there is a server database at {location.name} already; nothing was changed"
                    )
                connection.execute(insert(Setting).values(name=ID, value=secrets.token_bytes(16)))
        finally:
            engine.dispose()
        return cls(address)

    @property
    def name(self) -> str:
        """Return its name for messages; no password is in it."""
        return self._location.name

    @contextlib.contextmanager
    def changing(self) -> Iterator[Connection]:
        """Open a durable transaction that takes no lock of the whole database (rule 2)."""
        with _reporting(self.name), self._changes.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection for reading."""
        with _reporting(self.name), self._reads.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @property
    def is_postgresql(self) -> bool:
        """Return whether it is PostgreSQL, and not a SQLite file."""
        return self._location.file is None

    @property
    def _changes(self) -> Engine:
        return self._reads if self.is_postgresql else self._engine  # SQLite: BEGIN IMMEDIATE

    @property
    def _reads(self) -> Engine:
        return self._engine.execution_options(is_reading=True)

    def _required(self) -> bytes:
        """Check the tables, and return the database's id."""
        with _reporting(self.name):
            migrate_tables(self._location, SERVERS, wait_s=WAIT_S)
        with _reporting(self.name), self._engine.begin() as connection:
            check_durability(connection)
            if schema.revision(connection) == "":
                raise SharedStoreError(_absent("here"))
            schema.prepare(connection, SERVERS)
            found = connection.execute(select(Setting.value).where(Setting.name == ID)).scalar_one_or_none()
        if found is None:
            raise SharedStoreError(f"{self.name} is not a server database")
        return bytes(found)


def _absent(name: str) -> str:
    return f"there is no server database {name}: check the name, or create one with {SERVERS.create}"


def _location(address: str) -> Location:
    try:
        return Location.of(address, Path(), noun=SERVERS.noun)
    except RegistryError as error:
        raise SharedStoreError(str(error)) from None


@contextlib.contextmanager
def _reporting(name: str) -> Iterator[None]:
    """Turn a database error into one sentence. Raises SharedStoreError."""
    try:
        yield
    except DATABASE_ERRORS as error:
        found = failure(error, f"the server database {name} failed")
        kind = SharedStoreUnavailableError if isinstance(found, UnavailableError) else SharedStoreError
        raise kind(str(found)) from None
    except RegistryError as error:
        raise SharedStoreError(str(error)) from None

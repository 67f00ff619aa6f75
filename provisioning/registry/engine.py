"""The connections to a registry's database: durable commits, one writer at a time, no file that appears by itself.

The rules are those of provisioning/registry/database.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event

from provisioning.registry.errors import RegistryError
from provisioning.registry.location import Location

BUSY_S: Final = 30
ADVISORY_LOCK: Final = 0x46425247  # "FBRG"
# The log grows to 4000 pages (16 MiB) before it is copied into the file, so that pages which many units share
# are copied once for several hundred units. SQLite keeps 32 MB of pages in memory, so that new rows in a
# large registry's indexes need no read.
SQLITE_SETTINGS: Final = (
    "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000", "cache_size = -32000",
)  # fmt: skip


def make_engine(location: Location, *, has_foreign_keys: bool, wait_s: int | None = None) -> Engine:
    """Return the engine of a database. SQLite changes a table only while foreign keys are off.

    `wait_s`: the longest wait for a PostgreSQL server that does not answer, and for one statement; None: no bound.
    """
    options: dict[str, Any] = {"pool_size": 20, "max_overflow": 20}
    if location.file is None:
        options["pool_pre_ping"] = True
        if wait_s is not None:
            limits = f"-c statement_timeout={1000 * wait_s} -c lock_timeout={1000 * wait_s}"
            options["connect_args"] = {"connect_timeout": wait_s, "options": limits}
    else:
        options["connect_args"] = {"timeout": BUSY_S}
    engine = create_engine(location.url, **options)
    if location.file is not None:
        event.listen(engine, "do_connect", _only_existing(location.file))
        event.listen(engine, "connect", _on_connect if has_foreign_keys else _on_connect_to_migrate)
    event.listen(engine, "begin", _on_begin)
    return engine


def _only_existing(file: Path) -> Callable[..., None]:
    """SQLite creates a missing file; a lost registry must not come back empty."""

    def connect(*_: object) -> None:
        if not file.exists():
            raise sqlite3.OperationalError(f"{file.name} is gone")

    return connect


def check_durability(connection: Connection) -> None:
    """Refuse a PostgreSQL that reports commits before they are on disk: it would lose units."""
    if connection.dialect.name == "postgresql":
        for name in ("fsync", "synchronous_commit"):
            value = connection.exec_driver_sql(f"SHOW {name}").scalar()
            if value == "off":
                raise RegistryError(
                    f"the database server runs with {name} = off: a commit would not be durable"
                )


def _on_connect(connection: Any, record: object) -> None:
    _on_connect_to_migrate(connection, record)
    connection.execute("PRAGMA foreign_keys = ON")


def _on_connect_to_migrate(connection: Any, _: object) -> None:
    connection.isolation_level = None  # _on_begin begins transactions, not the driver
    for pragma in SQLITE_SETTINGS:
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    is_reading = connection.get_execution_options().get("is_reading", False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")
    elif not is_reading:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")

"""The connection that a registry keeps for writing, on the driver's own interface (rules 3 and 4 of `writer.py`)."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import Any, Final

import psycopg

from provisioning.registry.database import Database
from provisioning.registry.engine import ADVISORY_LOCK

IDLE_S: Final = 1.0
DRIVER_ERRORS: Final = (sqlite3.Error, psycopg.Error)


class WriteLink:
    """The connection that is kept for writing."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine
        self._pooled: Any = None
        self._used = 0.0

    def connection(self) -> Any:
        """Return the driver's connection; a new one for the first call and if the old one does not answer."""
        if self._pooled is not None and time.monotonic() - self._used > IDLE_S and not self._is_alive():
            self.drop()
        if self._pooled is None:
            self._pooled = self._engine.raw_connection()
        self._used = time.monotonic()
        return self._pooled.driver_connection

    def drop(self) -> None:
        """Close the connection. The database rolls an open transaction back."""
        pooled, self._pooled = self._pooled, None
        if pooled is not None:
            with contextlib.suppress(*DRIVER_ERRORS):
                pooled.invalidate()

    def roll_back(self) -> None:
        """Roll the transaction back and drop the connection (rule 3)."""
        if self._pooled is not None:
            with contextlib.suppress(*DRIVER_ERRORS):
                self._pooled.driver_connection.rollback()
        self.drop()

    def _is_alive(self) -> bool:
        return True

    def begin(self) -> Any:
        raise NotImplementedError

    def commit(self) -> None:
        raise NotImplementedError


class SqliteLink(WriteLink):
    def begin(self) -> Any:
        connection = self.connection()
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def commit(self) -> None:
        self._pooled.driver_connection.execute("COMMIT")


class PostgresLink(WriteLink):
    """Queries wait in the driver's pipeline until rows or the commit are needed."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._pipeline = contextlib.ExitStack()

    def begin(self) -> Any:
        connection = self.connection()
        self._pipeline.enter_context(connection.pipeline())
        connection.execute(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
        return connection

    def commit(self) -> None:
        self._pooled.driver_connection.commit()
        self._pipeline.close()

    def roll_back(self) -> None:
        with contextlib.suppress(*DRIVER_ERRORS):
            self._pipeline.close()
        super().roll_back()

    def _is_alive(self) -> bool:
        try:
            self._pooled.driver_connection.execute("SELECT 1")
            self._pooled.driver_connection.rollback()
        except DRIVER_ERRORS:
            return False
        return True

"""The parts of every open store: a database, a clock, and the signer of its chains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from provisioning.keys.signer import Signer
from provisioning.registry.database import Database
from provisioning.registry.station_key import (
    open_station_key,
    password_from_environment,
    station_key_path,
)


class OpenStore:
    """An open database. `signer`: None for the key file next to the database, which is opened when it is needed."""

    def __init__(self, database: Database, *, signer: Signer | None, now: Callable[[], int]) -> None:
        self.database = database
        self.now = now
        self._signer = signer

    def close(self) -> None:
        self.database.engine.dispose()

    @property
    def signer(self) -> Signer:
        """Return the signer. Raises RegistryError if its key file cannot be opened."""
        if self._signer is None:
            path = station_key_path(self.database.location)
            self._signer = open_station_key(path, password_from_environment())
        return self._signer

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for reading. The objects that it returns stay readable after it ends."""
        with self.database.reading() as session:
            yield session

"""The state that the processes of `firstboot serve` share when they are given one server database."""

from __future__ import annotations

from sqlalchemy import select

from provisioning.servers.oscore_store import OscoreStore
from provisioning.shared_store.database import ID, SharedDatabase
from provisioning.shared_store.models import Setting
from provisioning.shared_store.oscore_state import SharedNumbers
from provisioning.shared_store.reports import SharedReports


class DatabaseState:
    """The parts of provisioning/servers/maker_servers.py, SharedState, in one database. Raises SharedStoreError."""

    def __init__(self, address: str) -> None:
        """Open the database at a file or postgresql://... Raises SharedStoreError."""
        self.database = SharedDatabase(address)
        self.reports = SharedReports(self.database)

    @property
    def id(self) -> bytes:
        """Return the 16 bytes that name the database."""
        return self.database.id

    def numbers(self, store: OscoreStore) -> SharedNumbers:
        """Return the OSCORE numbers for the units of a credential store."""
        return SharedNumbers(self.database, store)

    def check(self) -> None:
        """Read one row. Raises SharedStoreError."""
        with self.database.reading() as connection:
            connection.execute(select(Setting.name).where(Setting.name == ID)).all()

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

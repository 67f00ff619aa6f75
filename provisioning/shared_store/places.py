"""Where servers keep releases and reports, as a person names it: a folder or a file, or a server database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from provisioning.release.folder_store import FolderStore
from provisioning.release.store import ReleaseStore
from provisioning.servers.report_log import ReportLog, Reports
from provisioning.shared_store.database import SharedDatabase
from provisioning.shared_store.release_store import DatabaseStore
from provisioning.shared_store.reports import SharedReports

_ENDINGS: Final = (".db", ".sqlite", ".sqlite3")


def is_database(place: str) -> bool:
    """Return whether the place is a server database: an address with "://", or a SQLite file.

    A name that ends as a SQLite file's does is one too unless it is a folder, so that a mistyped one makes no folder.
    """
    if "://" in place or (Path(place).suffix in _ENDINGS and not Path(place).is_dir()):
        return True
    try:
        with open(place, "rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def release_stores(place: str, *, is_reader: bool = False) -> Callable[[bytes], ReleaseStore]:
    """Return what gives the release store of a class id. Raises SharedStoreError if the database is not there.

    `is_reader`: the folder may be missing until something is published.
    """
    if not is_database(place):
        return lambda class_id: FolderStore(Path(place), class_id, is_reader=is_reader)
    database = SharedDatabase(place)
    return lambda class_id: DatabaseStore(database, class_id)


def reports_at(place: str) -> Reports:
    """Return the reports of a log file or of a server database. Raises SharedStoreError."""
    return SharedReports(SharedDatabase(place)) if is_database(place) else ReportLog(Path(place))

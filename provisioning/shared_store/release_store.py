"""A release store in the database of the servers, so that each server process serves what was published once.

Rules, beside those of provisioning/release/store.py:
1. A release is published in one transaction: its objects, which of them are needed, and the manifest.
2. Publishers of one database wait for each other; servers that read wait for nobody.
3. A block is read with its size and etag in one statement, so all three are of the same content.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import Connection, text

from provisioning.release.release import Release
from provisioning.release.store import NAME, Part, ReleaseStore, etag_of, require_name
from provisioning.shared_store.database import SharedDatabase

ROLLOUT: Final = "rollout"  # no name that a unit may fetch
_OBJECT: Final = "o/"
_PUT: Final = text(
    "INSERT INTO published (class_id, name, sha256, is_needed, data) VALUES (:class_id, :name, :sha256, :yes, :data)"
    " ON CONFLICT (class_id, name) DO UPDATE SET sha256 = excluded.sha256, is_needed = excluded.is_needed,"
    " data = excluded.data"
)
_FORGET: Final = text(
    "UPDATE published SET is_needed = :no WHERE class_id = :class_id AND name LIKE 'o/%' AND is_needed = :yes"
)
_REMOVE: Final = text("DELETE FROM published WHERE class_id = :class_id AND name = :name")
_SUPERSEDED: Final = text(
    "DELETE FROM published WHERE class_id = :class_id AND name LIKE 'o/%' AND is_needed = :no RETURNING name"
)
_PART: Final = text(
    "SELECT sha256, length(data), substr(data, :first, :length) FROM published"
    " WHERE class_id = :class_id AND name = :name"
)
_ETAG: Final = text("SELECT sha256 FROM published WHERE class_id = :class_id AND name = :name")
_WHOLE: Final = text("SELECT data FROM published WHERE class_id = :class_id AND name = :name")
_TOTALS: Final = text(
    "SELECT count(*), coalesce(sum(length(data)), 0) FROM published WHERE class_id = :class_id AND name != :rollout"
)


class DatabaseStore(ReleaseStore):
    """The published files of `class_id` in `database`. Every method raises SharedStoreError if that fails."""

    def __init__(self, database: SharedDatabase, class_id: bytes) -> None:
        super().__init__(class_id, database.name)
        self._database = database

    def put_release(self, release: Release) -> None:
        """As ReleaseStore (rule 1)."""
        objects = {f"{_OBJECT}{digest.hex()}": data for digest, data in release.whole_objects().items()}
        with self._database.changing() as connection:
            self._wait_for_others(connection)
            connection.execute(_FORGET, {"class_id": self.class_id, "no": False, "yes": True})
            for name, data in {**objects, "manifest": release.envelope}.items():
                self._put(connection, name, data)

    def put_rollout(self, data: bytes | None) -> None:
        """As ReleaseStore."""
        with self._database.changing() as connection:
            if data is None:
                connection.execute(_REMOVE, self._key(ROLLOUT))
            else:
                self._put(connection, ROLLOUT, data)

    def put_raw(self, name: str, data: bytes) -> None:
        """As ReleaseStore."""
        with self._database.changing() as connection:
            self._put(connection, require_name(name), data)

    def remove_superseded(self) -> list[str]:
        """As ReleaseStore."""
        with self._database.changing() as connection:
            self._wait_for_others(connection)
            rows = connection.execute(_SUPERSEDED, {"class_id": self.class_id, "no": False})
            return sorted(str(name) for (name,) in rows)

    def part(self, name: str, start: int, length: int) -> Part | None:
        """As ReleaseStore (rule 3)."""
        if not NAME.fullmatch(name):
            return None
        with self._database.reading() as connection:
            found = connection.execute(
                _PART, {**self._key(name), "first": start + 1, "length": length}
            ).first()
        return None if found is None else Part(bytes(found[2]), int(found[1]), etag_of(bytes(found[0])))

    def etag(self, name: str) -> bytes | None:
        """As ReleaseStore."""
        with self._database.reading() as connection:
            found = connection.execute(_ETAG, self._key(require_name(name))).scalar_one_or_none()
        return None if found is None else etag_of(bytes(found))

    def published(self, name: str) -> bytes | None:
        """As ReleaseStore."""
        return self._whole(require_name(name))

    def rollout(self) -> bytes | None:
        """As ReleaseStore."""
        return self._whole(ROLLOUT)

    def totals(self) -> tuple[int, int]:
        """As ReleaseStore."""
        with self._database.reading() as connection:
            count, size = connection.execute(_TOTALS, {"class_id": self.class_id, "rollout": ROLLOUT}).one()
        return int(count), int(size)

    def _whole(self, name: str) -> bytes | None:
        with self._database.reading() as connection:
            found = connection.execute(_WHOLE, self._key(name)).scalar_one_or_none()
        return None if found is None else bytes(found)

    def _put(self, connection: Connection, name: str, data: bytes) -> None:
        values = {"sha256": hashlib.sha256(data).digest(), "yes": True, "data": data}
        connection.execute(_PUT, {**self._key(name), **values})

    def _wait_for_others(self, connection: Connection) -> None:
        if self._database.is_postgresql:  # rule 2; SQLite has one writer at a time
            connection.execute(text("LOCK TABLE published IN SHARE ROW EXCLUSIVE MODE"))

    def _key(self, name: str) -> dict[str, bytes | str]:
        return {"class_id": self.class_id, "name": name}

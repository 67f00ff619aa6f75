"""The tables of a rollout store (rollout_store.py), and what is read from them.

A unit has one row for each rollout: its fate, since when it has it, and its last report.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from provisioning.servers.report_log import Mark, Reports
from provisioning.servers.rollout import CONFIRMED, ENDED, FAILED, Rollout, RolloutError
from provisioning.servers.rollout_reports import REPORTED, take
from provisioning.servers.spread import Spread

TABLES: Final = """
CREATE TABLE rollout (class TEXT, release INTEGER, document TEXT NOT NULL, from_s INTEGER NOT NULL,
    is_ended INTEGER NOT NULL, PRIMARY KEY (class, release)) WITHOUT ROWID;
CREATE UNIQUE INDEX one_at_once ON rollout (class) WHERE NOT is_ended;
CREATE TABLE unit (class TEXT, release INTEGER, device TEXT, fate TEXT NOT NULL, heard_s INTEGER NOT NULL,
    error INTEGER NOT NULL, version TEXT NOT NULL, is_stale INTEGER NOT NULL, since_s INTEGER NOT NULL,
    PRIMARY KEY (class, release, device)) WITHOUT ROWID;
CREATE TABLE change (number INTEGER PRIMARY KEY, class TEXT NOT NULL, release INTEGER NOT NULL,
    time_s INTEGER NOT NULL, what TEXT NOT NULL);
CREATE TABLE mark (log TEXT PRIMARY KEY, head BLOB NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
"""


class Change(NamedTuple):
    """One change of a rollout: when (unix s), and what."""

    time_s: int
    what: str


@dataclass(frozen=True)
class Shown:
    """A rollout as people look at it. Times are unix seconds."""

    rollout: Rollout
    began_s: int
    changes: list[Change]
    errors: dict[int, int]  # the error of a unit's last report -> units
    versions: dict[str, int]  # the version that a unit runs -> units
    stale: int  # units that had no verified contact for 72 hours of running time
    confirmed_s: list[int]  # when each unit confirmed, sorted
    newest_s: int  # of the newest report; `began_s` without one

    @property
    def units(self) -> int:
        """Return how many units reported about the release."""
        return sum(self.versions.values())


def spread_of(found: Shown) -> Spread:
    """Return how far the release came, counted from the beginning of its rollout, of the units that reported."""
    return Spread(
        needing=found.units,
        fixed=len(found.confirmed_s),
        seconds=[max(0, since_s - found.began_s) for since_s in found.confirmed_s],
        until_s=found.newest_s - found.began_s,
    )


class Table:
    """The rows of one class, inside a transaction."""

    def __init__(self, database: sqlite3.Connection, class_id: str) -> None:
        self._database = database
        self._class_id = class_id

    def latest(self) -> Rollout | None:
        row = self._database.execute(
            "SELECT document FROM rollout WHERE class = ? ORDER BY is_ended, from_s DESC LIMIT 1",
            (self._class_id,),
        ).fetchone()
        if row is None:
            return None
        rollout = Rollout.from_json(row[0])
        units = self._database.execute(
            "SELECT device, fate, heard_s FROM unit WHERE class = ? AND release = ? AND fate != ?",
            (*self._key(rollout), REPORTED),
        )
        counts = rollout.counts
        for device, fate, heard_s in units:
            counts.began[device] = heard_s
            if fate in (CONFIRMED, FAILED):
                (counts.confirmed if fate == CONFIRMED else counts.failed).add(device)
        return rollout

    def add(self, rollout: Rollout) -> None:
        try:
            self._database.execute(
                "INSERT INTO rollout VALUES (?, ?, ?, ?, 0)",
                (*self._key(rollout), rollout.to_json(), rollout.state.since_s),
            )
        except sqlite3.IntegrityError:
            raise RolloutError(
                f"release {rollout.plan.sequence} had its rollout: publish a new release"
            ) from None

    def save(self, rollout: Rollout, change: Change) -> None:
        key = self._key(rollout)
        self._database.execute(
            "UPDATE rollout SET document = ?, is_ended = ? WHERE class = ? AND release = ?",
            (rollout.to_json(), rollout.state.state == ENDED, *key),
        )
        self._database.execute(
            "INSERT INTO change (class, release, time_s, what) VALUES (?, ?, ?, ?)", (*key, *change)
        )

    def count_again(self, rollout: Rollout, from_s: int) -> None:
        key = self._key(rollout)
        self._database.execute(
            "DELETE FROM unit WHERE class = ? AND release = ? AND fate != ?", (*key, CONFIRMED)
        )
        self._database.execute(
            "UPDATE rollout SET from_s = ? WHERE class = ? AND release = ?", (from_s, *key)
        )

    def take(self, rollout: Rollout, logs: Sequence[Reports], now_s: int) -> None:
        key = self._key(rollout)
        (from_s,) = self._database.execute(
            "SELECT from_s FROM rollout WHERE class = ? AND release = ?", key
        ).fetchone()
        entries = []
        for log in logs:
            name = log.name
            row = self._database.execute("SELECT head, size FROM mark WHERE log = ?", (name,)).fetchone()
            found, mark = log.entries_after(None if row is None else Mark(*row))
            entries += found
            if mark is not None:
                self._database.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", (name, *mark))
        self._database.executemany(
            "INSERT INTO unit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?5) ON CONFLICT DO UPDATE SET"
            " since_s = iif(fate = ?4, since_s, ?5), fate = ?4, heard_s = ?5, error = ?6, version = ?7, is_stale = ?8",
            [(*key, *fate) for fate in take(rollout, entries, from_s, now_s)],
        )

    def shown(self, rollout: Rollout) -> Shown:
        changes = [
            Change(*row)
            for row in self._rows("SELECT time_s, what FROM change WHERE {} ORDER BY number", rollout)
        ]
        began_s = changes[0].time_s
        ((stale, newest_s),) = self._rows(
            "SELECT coalesce(sum(is_stale), 0), coalesce(max(heard_s), 0) FROM unit WHERE {}", rollout
        )
        confirmed = self._rows(
            "SELECT since_s FROM unit WHERE {} AND fate = 'confirmed' ORDER BY since_s", rollout
        )
        return Shown(
            rollout,
            began_s,
            changes,
            dict(
                self._rows("SELECT error, count(*) FROM unit WHERE {} AND error != 0 GROUP BY error", rollout)
            ),
            dict(self._rows("SELECT version, count(*) FROM unit WHERE {} GROUP BY version", rollout)),
            stale,
            [since_s for (since_s,) in confirmed],
            max(newest_s, began_s),
        )

    def _rows(self, query: str, rollout: Rollout) -> list[Any]:
        """Return the rows of a query; {} in it is the condition for this rollout."""
        return self._database.execute(
            query.format("class = ? AND release = ?"), self._key(rollout)
        ).fetchall()

    def _key(self, rollout: Rollout) -> tuple[str, int]:
        return self._class_id, rollout.plan.sequence

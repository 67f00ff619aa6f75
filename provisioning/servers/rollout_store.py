"""The rollouts of a maker on disk: plans, states, what units reported, and each change; a SQLite file.

Rules:
1. A step reads the new reports, decides, and stores counts, state and place in the logs in one transaction that holds
   the write lock. So a kill at any moment loses nothing, and two commands never decide at once.
2. What the tracker signs (published_rollout.py) is written inside that transaction, and again at every step: after a
   kill between the two, or if the file was lost, the next step repairs it.
3. A class has one rollout that has not ended, at most. What is known of an ended one stays.
4. Of the reports from before the beginning, or from before the last resume, only a confirmed release counts.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from provisioning.file_system import PRIVATE, create_file
from provisioning.release.store import ReleaseStore
from provisioning.servers import published_rollout
from provisioning.servers.report_log import Mark, ReportLog
from provisioning.servers.rollout import CONFIRMED, ENDED, FAILED, Plan, Rollout, RolloutError
from provisioning.servers.rollout_reports import REPORTED, take

FORM: Final = 1  # of the tables (PRAGMA user_version)
MARKER: Final = 0x66627266  # PRAGMA application_id
WAIT_S: Final = 30  # for the write lock
_TABLES: Final = """
CREATE TABLE rollout (class TEXT, release INTEGER, document TEXT NOT NULL, from_s INTEGER NOT NULL,
    is_ended INTEGER NOT NULL, PRIMARY KEY (class, release)) WITHOUT ROWID;
CREATE UNIQUE INDEX one_at_once ON rollout (class) WHERE NOT is_ended;
CREATE TABLE unit (class TEXT, release INTEGER, device TEXT, fate TEXT NOT NULL, heard_s INTEGER NOT NULL,
    error INTEGER NOT NULL, PRIMARY KEY (class, release, device)) WITHOUT ROWID;
CREATE TABLE change (number INTEGER PRIMARY KEY, class TEXT NOT NULL, release INTEGER NOT NULL,
    time_s INTEGER NOT NULL, what TEXT NOT NULL);
CREATE TABLE mark (log TEXT PRIMARY KEY, head BLOB NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
"""


class Change(NamedTuple):
    """One change of a rollout: when (unix s), and what."""

    time_s: int
    what: str


class RolloutStore:
    """The rollouts in the file `path`. Every method raises RolloutError if the file cannot be used, and OSError."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self._now = now

    # what a person decides -------------------------------------------------------------------------------------
    def begin(self, store: ReleaseStore, plan: Plan) -> Rollout:
        """Begin a rollout, and publish its first stage. Raises RolloutError if another one has not ended."""
        self._create()
        with self._writing(store.class_id) as table:
            last = table.latest()
            if last is not None and last.state.state != ENDED:
                raise RolloutError(
                    f"the rollout of release {last.plan.sequence} is {last.state.state}: end it first"
                )
            rollout = Rollout.begin(plan, self._now_s())
            table.add(rollout)
            self._save(table, store, rollout, f"began: {rollout.stage_text()}")
            return rollout

    def pause(self, store: ReleaseStore, reason: str) -> Rollout:
        """Let no further unit begin. Raises RolloutError unless the rollout is running."""
        with self._writing(store.class_id) as table:
            rollout = self._required(table)
            rollout.pause(reason)
            self._save(table, store, rollout, f"paused by hand: {reason}")
            return rollout

    def resume(self, store: ReleaseStore) -> Rollout:
        """Go on in the same stage, with new counts. Raises RolloutError unless the rollout is paused."""
        with self._writing(store.class_id) as table:
            rollout = self._required(table)
            rollout.resume(self._now_s())
            table.count_again(rollout, self._now_s())
            self._save(table, store, rollout, f"resumed: {rollout.stage_text()}")
            return rollout

    def end(self, store: ReleaseStore) -> Rollout:
        """Let every unit install the release. Raises RolloutError if the rollout has ended."""
        with self._writing(store.class_id) as table:
            rollout = self._required(table)
            rollout.end(self._now_s())
            self._save(table, store, rollout, "ended by hand")
            return rollout

    # the controller --------------------------------------------------------------------------------------------
    def step(
        self, store: ReleaseStore, logs: Sequence[ReportLog], newest: int
    ) -> tuple[Rollout, Change | None]:
        """Take the new reports and decide. Returns the last rollout of the class, and its change in this step.

        `newest`: number of the newest published release of the class.
        """
        with self._writing(store.class_id) as table:
            rollout = self._required(table)
            if rollout.state.state == ENDED:
                _publish(store, rollout)
                return rollout, None
            table.take(rollout, logs)
            what = None
            if newest > rollout.plan.sequence:
                rollout.end(self._now_s())
                what = f"ended: release {newest} was published"
            elif rollout.advance(self._now_s()):
                what = rollout.stage_text()
            return rollout, self._save(table, store, rollout, what)

    # what is read ----------------------------------------------------------------------------------------------
    def latest(self, class_id: bytes) -> tuple[Rollout, list[Change], dict[int, int]]:
        """Return the last rollout of a class, its changes, and how many units have which error as their last one.

        Raises RolloutError if the class had no rollout.
        """
        with self._reading(class_id) as table:
            rollout = self._required(table)
            return rollout, table.changes(rollout), table.errors(rollout)

    def _required(self, table: _Table) -> Rollout:
        found = table.latest()
        if found is None:
            raise RolloutError(f"{self.path} has no rollout of this product: begin one first")
        return found

    def _save(self, table: _Table, store: ReleaseStore, rollout: Rollout, what: str | None) -> Change | None:
        change = None if what is None else Change(self._now_s(), what)
        if change is not None:
            table.save(rollout, change)
        _publish(store, rollout)
        return change

    def _now_s(self) -> int:
        return int(self._now())

    # the file --------------------------------------------------------------------------------------------------
    def _create(self) -> None:
        """Create what is missing. A kill leaves no file, an empty one, or one with all tables."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            create_file(self.path, b"", mode=PRIVATE)
        if self.path.stat().st_size:
            return
        with self._connected() as database:
            database.executescript(
                f"BEGIN IMMEDIATE;{_TABLES}PRAGMA application_id={MARKER};PRAGMA user_version={FORM};COMMIT;"
            )

    @contextmanager
    def _writing(self, class_id: bytes) -> Iterator[_Table]:
        with self._reading(class_id, "BEGIN IMMEDIATE") as table:
            yield table

    @contextmanager
    def _reading(self, class_id: bytes, begin: str = "BEGIN") -> Iterator[_Table]:
        if not self.path.is_file():
            raise RolloutError(f"{self.path} does not exist: begin a rollout first")
        with self._connected() as database:
            database.execute(begin)
            (marker,), (form,) = (
                database.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
            )
            if marker != MARKER or form != FORM:
                raise RolloutError(f"{self.path} has no rollouts in a form that this version reads")
            yield _Table(database, class_id.hex())
            database.commit()

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)) as database:
                database.execute("PRAGMA synchronous=EXTRA")
                yield database
        except sqlite3.Error as error:
            raise RolloutError(f"{self.path} cannot be used: {error}") from error


class _Table:
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

    def take(self, rollout: Rollout, logs: Sequence[ReportLog]) -> None:
        key = self._key(rollout)
        (from_s,) = self._database.execute(
            "SELECT from_s FROM rollout WHERE class = ? AND release = ?", key
        ).fetchone()
        entries = []
        for log in logs:
            name = str(log.path.absolute())
            row = self._database.execute("SELECT head, size FROM mark WHERE log = ?", (name,)).fetchone()
            found, mark = log.entries_after(None if row is None else Mark(*row))
            entries += found
            if mark is not None:
                self._database.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", (name, *mark))
        self._database.executemany(
            "INSERT OR REPLACE INTO unit VALUES (?, ?, ?, ?, ?, ?)",
            [(*key, *fate) for fate in take(rollout, entries, from_s)],
        )

    def changes(self, rollout: Rollout) -> list[Change]:
        rows = self._database.execute(
            "SELECT time_s, what FROM change WHERE class = ? AND release = ? ORDER BY number",
            self._key(rollout),
        )
        return [Change(*row) for row in rows]

    def errors(self, rollout: Rollout) -> dict[int, int]:
        rows = self._database.execute(
            "SELECT error, count(*) FROM unit WHERE class = ? AND release = ? AND error != 0"
            " GROUP BY error ORDER BY error",
            self._key(rollout),
        )
        return dict(rows.fetchall())

    def _key(self, rollout: Rollout) -> tuple[str, int]:
        return self._class_id, rollout.plan.sequence


def _publish(store: ReleaseStore, rollout: Rollout) -> None:
    record = rollout.record()
    data = None if record is None else published_rollout.encode(record)
    if store.rollout() != data:
        store.put_rollout(data)

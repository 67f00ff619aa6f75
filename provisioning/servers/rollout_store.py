"""The rollouts of a maker on disk: plans, states, what units reported, and each change; a SQLite file.

Rules:
1. A step reads the new reports, decides, and stores counts, state and place in the logs in one transaction that holds
   the write lock. So a kill at any moment loses nothing, and two commands never decide at once.
2. What the tracker signs (published_rollout.py) is written inside that transaction, and again at every step: after a
   kill between the two, or if the file was lost, the next step repairs it.
3. A class has one rollout that has not ended, at most. What is known of an ended one stays.
4. Of the reports from before the beginning, or from before the last resume, only a confirmed release counts.
5. Nothing is decided by a clock that jumped (rollout_clock.py).
6. A second file beside the first would decide against it. So a rollout that another file published is neither replaced
   nor removed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final

from provisioning.file_system import PRIVATE, create_file
from provisioning.release.store import ReleaseStore
from provisioning.servers import published_rollout
from provisioning.servers.report_log import Reports
from provisioning.servers.rollout import ENDED, Plan, Rollout, RolloutError
from provisioning.servers.rollout_clock import Moment, begun, doubt, moment
from provisioning.servers.rollout_table import TABLES, Change, Shown, Table

FORM: Final = 1  # of the tables (PRAGMA user_version)
MARKER: Final = 0x66627266  # PRAGMA application_id
WAIT_S: Final = 30  # for the write lock


class RolloutStore:
    """The rollouts in the file `path`. Every method raises RolloutError if the file cannot be used, and OSError."""

    def __init__(self, path: Path, *, clock: Callable[[], Moment] = moment) -> None:
        self.path = path
        self._clock = clock

    # what a person decides -------------------------------------------------------------------------------------
    def begin(self, store: ReleaseStore, plan: Plan, *, replaces_lost: bool = False) -> Rollout:
        """Begin a rollout, and publish its first stage. Raises RolloutError if another one has not ended.

        `replaces_lost`: replace what a file published that is lost (rule 6).
        """
        self._create()
        with self._writing(store.class_id) as table:
            last = table.latest()
            if last is not None and last.state.state != ENDED:
                raise RolloutError(
                    f"the rollout of release {last.plan.sequence} is {last.state.state}: end it first"
                )
            other = _published(store)
            if other is not None and not replaces_lost and (last is None or other != last.plan.sequence):
                raise RolloutError(
                    f"{store.place} has a rollout of release {other}, which {self.path} does not have: name the file"
                    f" that has it with --rollouts, and end it there. If that is lost, begin with --replace-lost"
                )
            now = self._clock()
            rollout = Rollout.begin(plan, now.now_s)
            rollout.state = begun(rollout.state, now)
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
            now = self._clock()
            rollout.resume(now.now_s)
            rollout.state = begun(rollout.state, now)
            table.count_again(rollout, now.now_s)
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
        self, store: ReleaseStore, logs: Sequence[Reports], newest: int
    ) -> tuple[Rollout, Change | None]:
        """Take the new reports and decide. Returns the last rollout of the class, and its change in this step.

        `newest`: number of the newest published release of the class. Raises RolloutError if the clock jumped.
        """
        with self._writing(store.class_id) as table:
            rollout = self._required(table)
            if rollout.state.state == ENDED:
                _publish(store, rollout)
                return rollout, None
            now = self._clock()
            if problem := doubt(rollout.state, now):
                _publish(store, rollout)
                raise RolloutError(problem)
            table.take(rollout, logs, now.now_s)
            what = None
            if newest > rollout.plan.sequence:
                rollout.end(now.now_s)
                what = f"ended: release {newest} was published"
            elif rollout.advance(now.now_s):
                if rollout.state.since_s == now.now_s:
                    rollout.state = begun(rollout.state, now)
                what = rollout.stage_text()
            return rollout, self._save(table, store, rollout, what)

    # what is read ----------------------------------------------------------------------------------------------
    def latest(self, class_id: bytes) -> Shown:
        """Return the last rollout of a class. Raises RolloutError if the class had none."""
        with self._reading(class_id) as table:
            return table.shown(self._required(table))

    def _required(self, table: Table) -> Rollout:
        found = table.latest()
        if found is None:
            raise RolloutError(f"{self.path} has no rollout of this product: begin one first")
        return found

    def _save(self, table: Table, store: ReleaseStore, rollout: Rollout, what: str | None) -> Change | None:
        change = None if what is None else Change(self._now_s(), what)
        if change is not None:
            table.save(rollout, change)
        _publish(store, rollout)
        return change

    def _now_s(self) -> int:
        return self._clock().now_s

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
                f"BEGIN IMMEDIATE;{TABLES}PRAGMA application_id={MARKER};PRAGMA user_version={FORM};COMMIT;"
            )

    def _writing(self, class_id: bytes) -> AbstractContextManager[Table]:
        return self._reading(class_id, "BEGIN IMMEDIATE")

    @contextmanager
    def _reading(self, class_id: bytes, begin: str = "BEGIN") -> Iterator[Table]:
        if not self.path.is_file():
            raise RolloutError(f"{self.path} does not exist: begin a rollout first")
        with self._connected() as database:
            database.execute(begin)
            (marker,), (form,) = (
                database.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
            )
            if marker != MARKER or form != FORM:
                raise RolloutError(f"{self.path} has no rollouts in a form that this version reads")
            yield Table(database, class_id.hex())
            database.commit()

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)) as database:
                database.execute("PRAGMA synchronous=EXTRA")
                yield database
        except sqlite3.Error as error:
            raise RolloutError(f"{self.path} cannot be used: {error}") from error


def _publish(store: ReleaseStore, rollout: Rollout) -> None:
    record = rollout.record()
    data = None if record is None else published_rollout.encode(record)
    if store.rollout() == data or (data is None and _published(store) not in (None, rollout.plan.sequence)):
        return
    store.put_rollout(data)


def _published(store: ReleaseStore) -> int | None:
    """Return the release of the published rollout; None without one, and for one that cannot be read."""
    data = store.rollout()
    try:
        return None if data is None else published_rollout.decode(data).sequence
    except RolloutError:
        return None

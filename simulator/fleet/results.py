"""The folder of the results of a run: one Parquet file for each shard, and `run.json`, which says whose they are.

Rules:
1. A folder belongs to one run. A file appears in it whole or not at all (`keep`).
2. A shard whose file is there is not run again. So a run that was interrupted goes on where it was.
3. A rollout depends on all units. The files are made for one schedule of it; if the controller decides otherwise
   (`Replay.differs`), the shards run again with what it decided until then. Each round adds one decision at least.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulator.fleet.base import Base
from simulator.fleet.errors import FleetError
from simulator.fleet.outcome import Outcome
from simulator.fleet.plan import Event
from simulator.fleet.scenario import Scenario
from simulator.fleet.shard_file import HOUR_S, Job, Schedule, ShardFile, code_name, merged
from simulator.fleet.shard_process import Cost
from simulator.fleet.staged import StagedRollout

WINDOW_S: Final = 900  # between two decisions of a rollout; an hour is a whole number of windows


@dataclass(frozen=True)
class Results:
    """The results of a scenario in `folder`, in shards of `shard_units` units."""

    folder: Path
    scenario: Scenario
    shard_units: int
    is_remembered: bool

    def open(self) -> None:
        """Make the folder, or take it if it belongs to this run. Raises FleetError, OSError."""
        wanted = {
            "scenario_sha256": hashlib.sha256(repr(self.scenario).encode()).hexdigest(),
            "code": code_name(),
            "shard_units": self.shard_units,
            "is_remembered": self.is_remembered,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        facts = self.folder / "run.json"
        if not facts.exists():
            if any(self.folder.iterdir()):
                raise FleetError(f"{self.folder}: neither empty nor the results of a fleet")
            facts.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
            return
        try:
            found = json.loads(facts.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != wanted:
            raise FleetError(
                f"{self.folder}: the results of another scenario, of other code or in other shards"
            )

    def jobs(self, schedule: Schedule) -> list[Job]:
        """Return the job of each shard."""
        units, size, code = self.scenario.units, self.shard_units, code_name()
        return [
            Job(self.scenario, first, min(first + size, units), schedule, self.is_remembered, code)
            for first in range(0, units, size)
        ]

    def path(self, job: Job) -> Path:
        """Return the file of a shard."""
        return self.folder / f"units-{job.first:07d}.parquet"

    def missing(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs without a whole file."""
        return [job for job in jobs if not self._has(job)]

    def _has(self, job: Job) -> bool:
        try:
            ShardFile(self.path(job), job).close()
        except FleetError:
            return False
        return True

    def keep(self, job: Job, data: bytes) -> None:
        """Write the file of a shard."""
        path = self.path(job)
        draft = path.with_suffix(".draft")
        draft.write_bytes(data)
        os.replace(draft, path)


class Replay:
    """The shards of a run as one log: `run` hands each window to the outcome and to the rollout's controller."""

    def __init__(self, results: Results, base: Base) -> None:
        self._results = results
        self.outcome = Outcome(results.scenario)
        self.rollout = StagedRollout(results.scenario, base)
        self.cost = Cost(0.0, 0)

    def run(self, schedule: Schedule, on_window: Callable[[list[Event], int], None]) -> Schedule | None:
        """Read all shards. Return None, or the schedule up to the first decision that differs from `schedule`.

        Over all rounds `on_window` gets each window once, with its events and its end.

        Raises FleetError if a shard is missing or damaged.
        """
        jobs = self._results.jobs(schedule)
        with ExitStack() as stack:
            files = [ShardFile(self._results.path(job), job) for job in jobs]
            for file in files:
                stack.callback(file.close)
            per_unit = max(
                file.cost.memory_bytes / (job.end - job.first) for file, job in zip(files, jobs, strict=True)
            )
            total = round(per_unit * self._results.scenario.units)
            self.cost = Cost(sum(file.cost.cpu_s for file in files), total)
            for events, end_s in _windows(files, self._results.scenario.hours):
                self.outcome.add(events)
                self.rollout.take(events, end_s)
                if end_s < self._results.scenario.end_s:
                    decided = self.rollout.record
                    if decided != [record for at_s, record in schedule if at_s <= end_s][-1]:
                        return (*[one for one in schedule if one[0] < end_s], (end_s, decided))
                if end_s >= schedule[-1][0]:  # the earlier windows were passed on in the rounds before
                    on_window(events, end_s)
        return None


def replayed(
    results: Results,
    base: Base,
    run_shards: Callable[[list[Job]], None],
    on_window: Callable[[list[Event], int], None],
) -> Replay:
    """Run a scenario and return all of it. `run_shards` keeps the files of these jobs; how is the engine's matter.

    `on_window` gets each window with its events and its end. Raises FleetError.
    """
    schedule: Schedule = ((0, StagedRollout(results.scenario, base).record),)  # the first stage stays
    while True:
        run_shards(results.jobs(schedule))
        replay = Replay(results, base)
        decided = replay.run(schedule, on_window)
        if decided is None:
            return replay
        schedule = decided


def _windows(files: list[ShardFile], hours: int) -> Iterator[tuple[list[Event], int]]:
    """Yield the events of each window in the order of the log, and when it ends."""
    for hour in range(hours):
        events = merged([file.hour(hour) for file in files])
        at = 0
        for end_s in range(hour * HOUR_S + WINDOW_S, (hour + 1) * HOUR_S + 1, WINDOW_S):
            begin = at
            while at < len(events) and events[at].time_us < end_s * 1_000_000:
                at += 1
            if end_s == (hour + 1) * HOUR_S:
                at = len(events)
            yield events[begin:at], end_s

"""Shards as Parquet files: the same log, the same rollout, and no file of another run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from simulator.fleet import engine, shard_file
from simulator.fleet.base import Base
from simulator.fleet.errors import FleetError
from simulator.fleet.plan import Event
from simulator.fleet.results import Replay, Results, replayed
from simulator.fleet.scenario import Scenario
from simulator.fleet.shard_file import Job
from tests.unit.simulator.fleet.test_fleet_engine import SCENARIO, staged


class Here:
    """An engine that runs each missing shard in this process."""

    def __init__(
        self, folder: Path, scenario: Scenario, base: Base, base_folder: Path, shard_units: int = 3
    ) -> None:
        self.results = Results(folder, scenario, shard_units, True)
        self.results.open()
        self._base, self._base_folder = base, base_folder
        self.jobs: list[Job] = []
        self.events: list[Event] = []

    def run(self) -> Replay:
        return replayed(self.results, self._base, self._run, lambda events, end_s: self.events.extend(events))

    def _run(self, jobs: list[Job]) -> None:
        for job in self.results.missing(jobs):
            self.jobs.append(job)
            self.results.keep(job, shard_file.run(job, self._base_folder))


def test_shards_in_files_give_the_log_and_the_report_of_one_process(
    base: Base, base_folder: Path, tmp_path: Path
) -> None:
    log: list[Event] = []
    run = engine.run(SCENARIO, folder=base_folder, on_events=log.extend)
    here = Here(tmp_path / "results", SCENARIO, base, base_folder)
    replay = here.run()
    assert here.events == log
    assert replay.outcome.document() == run.outcome.document()
    assert [(job.first, job.end) for job in here.jobs] == [(0, 3), (3, 6), (6, 8)]


def test_a_rollout_over_shards_is_decided_as_in_one_process(
    base: Base, base_folder: Path, tmp_path: Path
) -> None:
    log: list[Event] = []
    run = engine.run(staged(0), folder=base_folder, on_events=log.extend)
    here = Here(tmp_path / "results", staged(0), base, base_folder, 20)
    replay = here.run()
    assert replay.rollout.document(staged(0).end_s) == run.rollout
    assert here.events == log
    assert len(here.jobs) == 3 * 2, "a round for the first stage, for the second, and for the end"


def test_a_run_goes_on_with_the_shards_that_are_missing(
    base: Base, base_folder: Path, tmp_path: Path
) -> None:
    first = Here(tmp_path, SCENARIO, base, base_folder)
    digest = first.run().outcome.digest
    (tmp_path / "units-0000003.parquet").unlink()
    (tmp_path / "units-0000006.parquet").write_bytes(b"PAR1 and nothing more")
    second = Here(tmp_path, SCENARIO, base, base_folder)
    assert second.run().outcome.digest == digest
    assert [job.first for job in second.jobs] == [3, 6]


def test_the_results_of_another_scenario_are_left_alone(
    base: Base, base_folder: Path, tmp_path: Path
) -> None:
    Here(tmp_path, SCENARIO, base, base_folder)
    with pytest.raises(FleetError, match="another scenario"):
        Here(tmp_path, dataclasses.replace(SCENARIO, seed=9), base, base_folder)


def test_a_folder_with_other_files_is_left_alone(base: Base, base_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(FleetError, match="neither empty"):
        Here(tmp_path, SCENARIO, base, base_folder)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_machine_with_other_code_runs_no_shard(base_folder: Path) -> None:
    job = Job(SCENARIO, 0, 1, ((0, None),), True, "another")
    with pytest.raises(FleetError, match="another version"):
        shard_file.run(job, base_folder)

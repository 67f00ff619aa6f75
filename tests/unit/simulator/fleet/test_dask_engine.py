"""A fleet on a local cluster of Dask: a worker that is killed loses nothing, and the report stays the same."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from simulator.cli.fleet import app
from simulator.fleet import dask_engine, engine
from simulator.fleet.base import Base
from simulator.fleet.errors import FleetError
from simulator.fleet.plan import Event
from tests.unit.simulator.fleet.test_fleet_engine import SCENARIO


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(base: Base, base_folder: Path) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed (requirements/fleet.txt)")
    killed: list[int] = []

    def kill(client: Any, done: int, of: int) -> None:
        if done == 1:
            assert of == 4
            busy = next(worker for worker, tasks in client.processing().items() if tasks)
            killed.append(client.run(os.getpid, workers=[busy])[busy])
            os.kill(killed[0], signal.SIGKILL)

    log: list[Event] = []
    found: list[Event] = []
    alone = engine.run(SCENARIO, folder=base_folder, on_events=log.extend)
    run = dask_engine.run(
        SCENARIO,
        workers=2,
        shard_units=2,
        folder=base_folder,
        on_window=lambda events, end_s: found.extend(events),
        on_shard=kill,
    )
    assert killed
    assert found == log
    assert run.outcome.document() == alone.outcome.document()


def test_without_dask_the_engine_names_what_to_install(
    base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(FleetError, match=r"pip install firstboot\[fleet\]"):
        dask_engine.run(SCENARIO, folder=base_folder)


def test_results_are_kept_by_the_engine_dask_only(tmp_path: Path) -> None:
    scenario = tmp_path / "one.toml"
    scenario.write_text("[fleet]\nseed = 1\nunits = 1\nhours = 1\n")
    found = CliRunner().invoke(app, ["run", str(scenario), "--results", str(tmp_path / "results")])
    assert found.exit_code != 0
    assert not (tmp_path / "results").exists()

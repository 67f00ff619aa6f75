"""A unit's commits: three, and none records more than what is true at that moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.registry.errors import RegistryError
from provisioning.station.station import Station
from tests.unit.provisioning.station.station_bench import Bench, MemoryUnit, failure


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_unit_that_passes_takes_three_commits(bench: Bench) -> None:
    station: Station = bench.station()
    before = bench.registry.writer.commits
    station.provision(MemoryUnit().stream())
    assert bench.registry.writer.commits - before == 3


def test_its_phases_are_stored_with_its_release_the_last_one_too(bench: Bench) -> None:
    result = bench.station().provision(MemoryUnit().stream())
    unit = bench.registry.units()[0]
    kept = bench.registry.phases(unit.id)
    assert [entry.name for entry in kept] == [phase.name for phase in result.phases]
    assert {entry.outcome for entry in kept} == {"PASS"} and len({entry.run for entry in kept}) == 1
    assert result.phases[-1].measurements["chain_hash"] in kept[-1].measurements


def test_a_release_that_does_not_reach_the_disk_says_nothing_of_a_pass(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit, station = MemoryUnit(), bench.station()
    link = bench.registry.writer._link
    real, commits = link.commit, []

    def commit() -> None:
        commits.append(1)
        if len(commits) == 3:  # the release
            raise RegistryError("the disk is full")
        real()

    monkeypatch.setattr(link, "commit", commit)
    caught = failure(lambda: station.provision(unit.stream()))
    assert caught.result is not None and caught.result.name == "record" and "disk is full" in str(caught)
    known = bench.registry.units()[0]
    stored = [(entry.name, entry.outcome) for entry in bench.registry.phases(known.id)]
    assert known.status == "complete" and stored[-1] == ("record", "ERROR") and len(stored) == 15
    assert station.provision(unit.stream()).is_resumed and bench.registry.verify_chain() == 1

"""A run is repeatable, does not depend on processes or on what is remembered, and shows every kind of fault."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from device.crypto import backend
from simulator.fleet import base as bases
from simulator.fleet import engine
from simulator.fleet import scenario as scenarios
from simulator.fleet.base import Base
from simulator.fleet.plan import Event, UnitPlan
from simulator.fleet.remember import TrackerKey, remembering
from simulator.fleet.scenario import Scenario
from simulator.fleet.shard import Shard
from tests.unit.simulator.fleet.scenarios import everything

SCENARIO = scenarios.parse(everything(units=8))


@pytest.fixture(scope="module")
def log(base: Base) -> list[Event]:
    return events_of(base, SCENARIO)


def events_of(base: Base, scenario: Scenario, *, is_remembered: bool = True) -> list[Event]:
    with Shard(scenario, base, range(scenario.units), is_remembered=is_remembered).opened() as shard:
        return shard.run_until(scenario.end_s)


def test_the_number_of_processes_does_not_change_the_log(base_folder: Path, log: list[Event]) -> None:
    found: list[Event] = []
    run = engine.run(SCENARIO, workers=2, folder=base_folder, on_events=found.extend)
    assert found == log
    assert run.outcome.events == len(log)
    assert run.cost()["workers"] == 2


def test_a_run_with_nothing_remembered_has_the_same_log(base: Base, log: list[Event]) -> None:
    few = dataclasses.replace(SCENARIO, units=3)
    assert events_of(base, few, is_remembered=False) == [event for event in log if event.unit < 3]


def test_a_machine_with_other_keys_has_the_same_log(tmp_path: Path, log: list[Event]) -> None:
    assert events_of(bases.make(tmp_path), SCENARIO) == log


def test_another_seed_gives_another_log(base: Base, log: list[Event]) -> None:
    other = dataclasses.replace(SCENARIO, seed=8, units=2)
    assert events_of(base, other) != [event for event in log if event.unit < 2]


def one_unit(more: str, *, hours: int = 2) -> Scenario:
    return scenarios.parse(f"[fleet]\nseed = 1\nunits = 1\nhours = {hours}\ncheck_interval_s = 600\n{more}")


RELEASE = "[[release]]\nnumber = 2\nat_s = 1800\n"
HOSTILE = "[[hostile]]\nfrom_s = 0\nto_s = 7200\ndoes = "


@pytest.mark.parametrize(
    ("scenario", "is_seen"),
    [
        (RELEASE, lambda texts: any("report: release 2, error 0 about" in text for text in texts)),
        ("updates_off = 1\n" + RELEASE, lambda texts: not any("report: release 2" in text for text in texts)),
        (RELEASE + "hangs = 1\n", lambda texts: any("release 1, error 218" in text for text in texts)),
        (RELEASE + HOSTILE + '"withhold"', lambda texts: not any("error 2" in text for text in texts)),
        (RELEASE + HOSTILE + '"tamper"', lambda texts: any("error 211" in text for text in texts)),
        (RELEASE + HOSTILE + '"tamper-chunks"', lambda texts: any("Digest" in text for text in texts)),
        (RELEASE + HOSTILE + '"mute"', lambda texts: not any("report" in text for text in texts)),
        ("[link]\nloss = 0.9\n", lambda texts: any("Link" in text for text in texts)),
        (
            "[[outage]]\nfrom_s = 0\nto_s = 7200\n",
            lambda texts: "update over mqtt: LinkError reason=connect: no answer" in texts,
        ),
        ("[power]\ncuts_per_day = 100\n", lambda texts: texts.count("power cut") > 3),
        (RELEASE + "[power]\nin_install = 1\n", lambda texts: texts.count("power cut") == 1),
    ],
)
def test_a_fault_of_the_scenario_is_seen(
    base: Base, scenario: str, is_seen: Callable[[list[str]], bool]
) -> None:
    texts = [event.text for event in events_of(base, one_unit(scenario))]
    assert is_seen(texts), "\n".join(texts)


def test_a_wrong_signature_of_the_tracker_is_not_recognised(base: Base) -> None:
    key = TrackerKey(base.bench.ring.signer("tracker"))
    signature = key.sign(b"message")
    digest = backend.sha256(b"message")
    real = backend.p256_verify
    with remembering(key):
        assert backend.p256_verify(key.public, digest, signature)
        assert not backend.p256_verify(key.public, backend.sha256(b"other"), signature)
        assert not backend.p256_verify(key.public, digest, signature[:-1] + bytes((signature[-1] ^ 1,)))
        assert backend.p256_verify(key.public, digest, key.real.sign(b"message"))
        author = base.bench.ring.signer("author")
        assert not backend.p256_verify(author.public, digest, signature)
    assert backend.p256_verify is real


def test_shares_of_a_scenario_are_shares_of_its_units() -> None:
    scenario = scenarios.parse(everything(units=2000))
    plans = [UnitPlan(scenario, number) for number in range(scenario.units)]
    in_town = sum(plan.region.name == "town" for plan in plans)
    hanging = sum(plan.hangs(2) for plan in plans)
    assert abs(in_town / 2000 - 0.6) < 0.05
    assert abs(hanging / 2000 - 0.3) < 0.05
    assert len({plan.device_id for plan in plans}) == 2000


def test_the_outcome_counts_units_by_release(base: Base, base_folder: Path) -> None:
    scenario = dataclasses.replace(one_unit(RELEASE), units=3)
    found = engine.run(scenario, folder=base_folder).outcome.document()
    assert found["units_by_release"] == {"2": 3}
    assert found["releases"][0]["units_that_began"] == 3
    assert 0 < found["releases"][0]["time_to_50_percent_s"] <= found["releases"][0]["time_to_95_percent_s"]


STAGED = """
[rollout]
release = 2
failed = 0.2
least = 3

[[stage]]
share = 0.25
least_s = 2400

[[stage]]
share = 1
least_s = 0
"""


def staged(hangs: float) -> Scenario:
    release = f"[[release]]\nnumber = 2\nat_s = 600\nhangs = {hangs}\n"
    return dataclasses.replace(one_unit(release + STAGED), units=40)


def test_a_rollout_of_a_release_that_fails_stops_in_its_first_stage(base_folder: Path) -> None:
    run = engine.run(staged(0.7), folder=base_folder)
    assert run.rollout is not None
    assert (run.rollout["state"], run.rollout["stage"], run.rollout["share"]) == ("paused", 1, 0.0)
    began = run.outcome.document()["releases"][0]["units_that_began"]
    assert 3 <= began < 20
    assert run.rollout["failed"] >= 3


def test_a_rollout_of_a_good_release_reaches_the_fleet_stage_by_stage(base_folder: Path) -> None:
    run = engine.run(staged(0), workers=2, folder=base_folder)
    assert run.rollout is not None
    changes = [(one["state"], one["share"]) for one in run.rollout["changes"]]
    assert changes == [("running", 0.25), ("running", 1.0), ("ended", 1.0)]
    assert run.outcome.document()["units_by_release"] == {"2": 40}
    seconds = run.rollout["changes"][1]["time_s"]
    assert seconds >= 600 + 2400


def test_the_number_of_processes_does_not_change_a_rollout(base_folder: Path) -> None:
    first, second = (engine.run(staged(0.7), workers=workers, folder=base_folder) for workers in (1, 2))
    assert first.outcome.digest == second.outcome.digest
    assert first.rollout == second.rollout


def test_units_that_come_back_after_an_outage_are_spread(base_folder: Path) -> None:
    outage = dataclasses.replace(one_unit("[[outage]]\nfrom_s = 700\nto_s = 3600\n"), units=40)
    run = engine.run(outage, folder=base_folder)
    found = run.outcome.document()
    assert sum(found["reports_by_hour"]) == found["reports"]
    assert found["units_without_report"] == 0
    assert 0 < found["busiest_second"]["reports"] <= 10, "a quarter of the fleet in one second is a storm"

"""Units of the fleet do what the same units do in the full simulator, event for event."""

from __future__ import annotations

import pytest

from simulator.fleet import scenario as scenarios
from simulator.fleet.base import Base
from simulator.fleet.full import FullUnit, compare
from simulator.fleet.plan import Event
from simulator.fleet.remember import TrackerKey, remembering
from simulator.fleet.scenario import Scenario
from simulator.fleet.shard import Shard
from tests.unit.simulator.fleet.scenarios import everything


def fleet(base: Base, scenario: Scenario) -> list[Event]:
    with Shard(scenario, base, range(scenario.units)).opened() as shard:
        return shard.run_until(scenario.end_s)


def differences(base: Base, scenario: Scenario) -> dict[int, list[str]]:
    events = fleet(base, scenario)
    found = {}
    key = TrackerKey(base.bench.ring.signer("tracker"))
    with remembering(key):
        for number in range(scenario.units):
            full = FullUnit(base, scenario, number, key).run()
            found[number] = compare([event for event in events if event.unit == number], full)
    return {number: texts for number, texts in found.items() if texts}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # tasks of a unit without power are never awaited
def test_five_units_agree_with_the_full_simulator(base: Base) -> None:
    assert differences(base, scenarios.parse(everything(units=5))) == {}


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_fifty_units_agree_with_the_full_simulator_for_a_day(base: Base) -> None:
    assert differences(base, scenarios.parse(everything(units=50, hours=24, seed=3))) == {}


def test_another_event_is_a_difference() -> None:
    one, other = Event(1_000_000, 0, 1, "power on"), Event(1_000_000, 0, 1, "power cut")
    assert compare([one], [one]) == []
    assert compare([one], [other])
    assert compare([one], [])
    assert compare([one], [one._replace(time_us=1_500_000)])

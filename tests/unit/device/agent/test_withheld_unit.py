"""A whole unit whose servers withhold what the tracker names (UP-13), in virtual time over both transports.

tests/dual/test_withheld.py tests the limit of 72 hours; here it is 20 minutes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from device.errors import FreshnessError, WithheldError
from device.records.counters import NOTHING_WITHHELD
from device.suit import report
from device.update import trial_state
from device.update.failures import Failures
from simulator.powercut.bench import PASSWORD
from simulator.powercut.campaign import Campaign
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import sign_in, status
from simulator.powercut.world import World
from tests.unit.device.agent.test_app_update import codes

BOUND_S = 1200
STEP_S = 60


@pytest.fixture(autouse=True)
def _short_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.update.withheld.WITHHELD_S", BOUND_S)
    monkeypatch.setattr("device.update.withheld.STALE_STEP_S", STEP_S)
    monkeypatch.setattr("device.records.staleness.STALE_STEP_S", STEP_S)


@pytest.fixture(params=["mqtt", "coap"])
def unit(campaign: Campaign, request: pytest.FixtureRequest) -> Machine:
    """An owned unit with release 1 and one transport."""
    machine = campaign.machine_after("set-up")
    machine.world.has_mqtt, machine.world.has_coap = request.param == "mqtt", request.param == "coap"
    machine.connect()
    return machine


def names(machine: Machine, **numbers: int) -> Machine:
    """Let the tracker name these newest numbers."""
    (newest,) = machine.servers.tracker.classes.values()
    newest.raise_to(**numbers)
    return machine


async def _after(machine: Machine, seconds: float) -> Any:
    await asyncio.sleep(seconds)
    return await status(machine)


def after(machine: Machine, seconds: float) -> Any:
    """The status of the unit after so many seconds."""
    return machine.live(lambda m: _after(m, seconds))


def reported(world: World) -> list[int]:
    """Return the withheld objects in each report of the unit."""
    found = [report.decode(item.value) for item in world.history if item.what == "report"]  # type: ignore[arg-type]
    return [one.extensions.get(report.WITHHELD, 0) for one in found]


@pytest.mark.parametrize("replayed", [None, 1])
def test_a_release_that_no_source_gives_is_reported_and_ends_with_its_arrival(
    unit: Machine, replayed: int | None
) -> None:
    """The tracker names 2, the server gives nothing or release 1."""
    if replayed is not None:
        unit.world.publish(replayed)
    names(unit, manifest=2)
    early = after(unit, BOUND_S / 2)
    assert early["update"]["withheld"] == []
    assert early["update"]["state"] == "idle"
    assert not any(reported(unit.world))
    unit = names(unit.again(), manifest=2)
    late = after(unit, BOUND_S)
    assert late["update"]["withheld"] == ["release"]
    assert late["update"]["state"] == "withheld"
    assert codes(late).count(WithheldError.code) == 1
    assert (late["update"]["last_error"] or {}).get("code") != WithheldError.code, "the check itself was good"
    assert late["version"].startswith("1.")
    assert reported(unit.world)[-1] == 1
    unit = unit.again()
    unit.world.publish(2)

    async def updated(machine: Machine) -> Any:
        async def probe() -> Any:
            found = await status(machine)
            return found if found["update"]["sequence"] == 2 and not found["is_trial"] else None

        return await machine.until("release 2", probe)

    assert unit.live(updated)["update"]["withheld"] == []
    assert after(unit.again(), 60)["update"]["state"] == "idle"
    assert reported(unit.world)[-1] == 0
    assert unit.again().records().read_map("withheld") == NOTHING_WITHHELD


def test_the_manifest_without_its_payload_is_withheld_too(unit: Machine) -> None:
    unit.world.publish(2)
    for name in [name for name in unit.world.published if name.startswith("o/")]:
        del unit.world.published[name]
    found = after(unit, 2 * BOUND_S)
    assert found["update"]["withheld"] == ["release"]
    assert reported(unit.world)[-1] == 1


def test_a_release_that_waits_for_its_owner_is_not_withheld(unit: Machine) -> None:
    async def off(machine: Machine) -> Any:
        session = await sign_in(machine, PASSWORD)
        await machine.request("POST", "/updates", {"action": "off"}, session)
        machine.world.publish(2)
        return await _after(machine, 2 * BOUND_S)

    found = unit.live(off)
    assert found["update"]["offered"]["sequence"] == 2
    assert found["update"]["withheld"] == []
    assert WithheldError.code not in codes(found)
    assert unit.again().records().read_map("withheld") == NOTHING_WITHHELD


def test_a_release_that_failed_here_is_not_withheld(unit: Machine) -> None:
    Failures(unit.records()).add(2, b"r" * 32, trial_state.WATCHDOG, b"e" * 32)
    names(unit, manifest=2)
    assert after(unit, 2 * BOUND_S)["update"]["withheld"] == []


def test_a_support_record_and_a_key_set_that_no_source_gives_are_reported(unit: Machine) -> None:
    names(unit, support=900, keyset=900)
    found = after(unit, 2 * BOUND_S)
    assert found["update"]["withheld"] == ["support record", "key set"]
    assert codes(found).count(WithheldError.code) == 2
    assert reported(unit.world)[-1] == 6


def test_what_a_stolen_tracker_key_named_ends_with_the_next_key_set(unit: Machine) -> None:
    huge = (1 << 53) - 1
    names(unit, manifest=huge, support=huge, keyset=huge)
    found = after(unit, 2 * BOUND_S)
    assert found["update"]["withheld"] == ["release", "support record", "key set"]
    assert found["update"]["sequence"] == 1, "a number that is only named binds nothing"
    unit = unit.again()
    unit.world.published["keyset"] = unit.world.bench.next_key_set()
    unit.world.publish(2)
    found = after(unit, 300)
    assert found["update"]["withheld"] == []
    assert found["update"]["sequence"] == 2
    assert unit.again().records().read_map("withheld") == NOTHING_WITHHELD


def test_a_number_beyond_every_bound_is_refused_and_changes_nothing(unit: Machine) -> None:
    names(unit, manifest=(1 << 64) - 1)
    found = after(unit, 2 * BOUND_S)
    assert FreshnessError.code in codes(found)
    assert found["update"]["withheld"] == []
    assert unit.records().read_map("withheld") == NOTHING_WITHHELD

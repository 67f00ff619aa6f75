"""A whole unit and a rollout: it waits for its stage, for at most the stated time, over both transports."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from device.errors import WithheldError
from device.limits import ROLLOUT_SHARES
from device.records.freshness import Rollout
from device.update.rollout import position
from simulator.powercut.bench import DEVICE_ID
from simulator.powercut.campaign import Campaign
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import status

KEY = b"k" * 16
PLACE = position(KEY, DEVICE_ID)
BOUND_S = 1200
STEP_S = 60


@pytest.fixture(autouse=True)
def _short_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("withheld", "rollout"):
        monkeypatch.setattr(f"device.update.{module}.WITHHELD_S", BOUND_S)
    monkeypatch.setattr("device.update.withheld.STALE_STEP_S", STEP_S)
    monkeypatch.setattr("device.records.staleness.STALE_STEP_S", STEP_S)


@pytest.fixture(params=["mqtt", "coap"])
def unit(campaign: Campaign, request: pytest.FixtureRequest) -> Machine:
    """An owned unit with release 1 and one transport; release 2 is published."""
    machine = campaign.machine_after("set-up")
    machine.world.has_mqtt, machine.world.has_coap = request.param == "mqtt", request.param == "coap"
    machine.world.publish(2)
    machine.connect()
    return machine


def signs(machine: Machine, share: int, sequence: int = 2) -> None:
    """Let the tracker sign a rollout of release `sequence`."""
    (newest,) = machine.servers.tracker.classes.values()
    newest.rollout = Rollout(sequence, KEY, share)


async def _after(machine: Machine, seconds: float) -> Any:
    await asyncio.sleep(seconds)
    return await machine.until("the status", lambda: status(machine))


def after(machine: Machine, seconds: float) -> Any:
    """Return the status of the unit after so many seconds."""
    return machine.live(lambda m: _after(m, seconds))


def test_a_unit_of_a_later_stage_waits(unit: Machine) -> None:
    signs(unit, PLACE)
    found = after(unit, BOUND_S / 2)
    assert str(found["version"]).startswith("1.")
    assert WithheldError.code not in [event["code"] for event in found["update"]["events"]]


def test_a_unit_of_the_present_stage_installs_at_once(unit: Machine) -> None:
    signs(unit, PLACE + 1)
    assert str(after(unit, 120)["version"]).startswith("2.")


def test_a_paused_rollout_holds_a_release_back_no_longer_than_the_bound(unit: Machine) -> None:
    signs(unit, 0)
    assert str(after(unit, BOUND_S - 3 * STEP_S)["version"]).startswith("1.")
    again = unit.again()  # the count survives a restart
    signs(again, 0)
    found = after(again, 6 * STEP_S)
    assert str(found["version"]).startswith("2.")
    assert WithheldError.code not in [event["code"] for event in found["update"]["events"]]


def test_a_rollout_of_another_release_holds_nothing_back(unit: Machine) -> None:
    signs(unit, 0, sequence=3)
    assert str(after(unit, 120)["version"]).startswith("2.")


def test_the_whole_fleet_is_below_the_largest_share() -> None:
    assert 0 <= PLACE < ROLLOUT_SHARES

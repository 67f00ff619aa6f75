"""A hostile broker that has many signed releases, and offers them in turn: it wears out no flash (UP-04)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from device.codec import bundle
from device.limits import FAILED_RELEASES
from provisioning.release.payload import APP, Payload
from simulator.powercut import app_sets
from simulator.powercut import machine as machine_module
from simulator.powercut.campaign import Campaign
from simulator.powercut.machine import Machine
from tests.unit.device.agent.test_app_update import runs, waits

FIRST, COUNT = 8, 40
GOOD, FAILS = b"async def run(context):\n    pass\n", b"async def run(context):\n    raise ValueError\n"
HOUR_S = 3600.0


@pytest.fixture(autouse=True)
def _long_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_module, "MAX_STARTS", 10_000)
    monkeypatch.setattr(machine_module, "MAX_FLOW_S", 24 * HOUR_S)


def publish(machine: Machine, number: int, code: bytes) -> None:
    """Publish an application for the firmware of release 4."""
    content = Payload.of(APP, bundle.encode({"__init__.py": code}))
    app_sets.publish(machine.world, machine.world.bench.release(number, 4, app=content))


async def trials_while(machine: Machine, numbers: list[int], seconds: float, step_s: float) -> int:
    """Publish the releases in turn, each for `step_s`; return how often the unit restarted meanwhile."""
    before, loop = machine.world.starts, asyncio.get_running_loop()
    end_s, at = loop.time() + seconds, 0
    while loop.time() < end_s:
        publish(machine, numbers[at % len(numbers)], FAILS)
        at += 1
        await asyncio.sleep(step_s)
    return machine.world.starts - before


@pytest.mark.parametrize("is_rising", [True, False])
def test_each_of_40_failing_releases_costs_one_trial_and_a_good_newer_one_is_installed(
    campaign: Campaign, is_rising: bool
) -> None:
    machine = campaign.machine_after("update-app")
    numbers = list(range(FIRST, FIRST + COUNT))
    if not is_rising:
        numbers.reverse()

    async def script(machine: Machine) -> tuple[int, int, Any]:
        await waits(runs(4))(machine)
        first = await trials_while(machine, numbers, COUNT * 90.0, 90.0)
        again = await trials_while(machine, numbers, 2 * COUNT * 90.0, 90.0)
        publish(machine, FIRST + COUNT, GOOD)
        return first, again, await waits(runs(FIRST + COUNT))(machine)

    first, again, found = machine.live(script)
    tried = COUNT if is_rising else FAILED_RELEASES + 1
    assert first == 2 * tried, "one start for the trial, and one that goes back"
    assert again == 0
    assert found["update"]["sequence"] == FIRST + COUNT


def test_two_good_releases_in_turn_whose_trials_reach_no_server_are_tried_ever_more_seldom(
    campaign: Campaign,
) -> None:
    machine = campaign.machine_after("set-up")
    machine.world.serves_trials = False

    async def starts_while(machine: Machine, seconds: float) -> int:
        before, loop = machine.world.starts, asyncio.get_running_loop()
        end_s, at = loop.time() + seconds, 0
        while loop.time() < end_s:
            machine.world.publish(2 + at % 2)
            at += 1
            await asyncio.sleep(45)
        return machine.world.starts - before

    async def script(machine: Machine) -> list[int]:
        await waits(lambda found: True)(machine)
        found = [await starts_while(machine, 2 * HOUR_S) for _ in range(2)]
        machine.world.serves_trials = True
        machine.world.publish(4)
        await waits(lambda found: found["update"]["sequence"] == 4)(machine)
        return found

    found = machine.live(script)
    assert found[0] < 30 and found[1] <= 6, f"starts in each of two times two hours: {found}"


def test_a_manufacturer_who_goes_back_to_the_release_before_is_heard_at_the_end_of_the_pause(
    campaign: Campaign,
) -> None:
    machine = campaign.machine_after("set-up")
    machine.world.serves_trials = False
    machine.world.publish(3)

    async def script(machine: Machine) -> Any:
        await waits(lambda found: found["is_trial"])(machine)
        await waits(lambda found: not found["is_trial"])(machine)
        machine.world.serves_trials = True
        machine.world.publish(2)
        return await waits(lambda found: found["update"]["sequence"] > 1)(machine)

    assert machine.live(script)["update"]["sequence"] == 2

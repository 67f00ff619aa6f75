"""The local function goes on without a network and after a power loss, and the unit comes back by itself (SE-10)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from simulator.powercut.campaign import Campaign
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import status
from tests.unit.device.agent.test_app_update import publish, runs, waits

STEP_S = 5
COUNTER = b"""\
import asyncio


async def run(context):
    steps = 0
    while True:
        steps += 1
        context.report(str(steps))
        await asyncio.sleep(5)
"""
# (whether the network is down, for how many seconds)
SCHEDULES = {
    "one long outage": [(True, 1500)],
    "many short ones": [(True, 20), (False, 7)] * 20,
    "back for a moment": [(True, 300), (False, 1), (True, 300)],
}


@pytest.fixture
def counting(campaign: Campaign) -> Machine:
    """Return an owned unit, which is off, whose application counts its steps, one in five seconds."""
    machine = campaign.machine_after("update-app")
    publish(machine, 7, {"__init__.py": COUNTER})
    machine.live(waits(counts))
    return Machine(machine.flash, machine.world)


def counts(found: Any) -> bool:
    """Return whether a status has the running application of release 7 and its first step."""
    return runs(7)(found) and found["application"]["says"] != ""


async def steps(machine: Machine) -> int:
    """Return how many steps the application counted, read from the unit's own pages."""
    return int((await status(machine))["application"]["says"])


def switch(machine: Machine, is_down: bool) -> None:
    """Take the network away from the running unit, or bring it back."""
    machine.network.is_down = is_down
    if is_down:
        machine.network.cut()


@pytest.mark.parametrize("name", SCHEDULES)
def test_se_10_outages_of_the_network_neither_slow_the_application_nor_restart_the_unit(
    counting: Machine, name: str
) -> None:
    async def script(machine: Machine) -> tuple[int, float, int]:
        await waits(counts)(machine)
        loop, starts, before = asyncio.get_running_loop(), machine.world.starts, await steps(machine)
        began_s = loop.time()
        await outage(machine, SCHEDULES[name])
        return await steps(machine) - before, loop.time() - began_s, machine.world.starts - starts

    counted, took_s, restarts = counting.live(script)
    assert restarts == 0
    assert abs(counted - took_s / STEP_S) <= 1


async def outage(machine: Machine, schedule: Sequence[tuple[bool, int]]) -> None:
    for is_down, seconds in schedule:
        switch(machine, is_down)
        await asyncio.sleep(seconds)


def test_se_10_after_an_outage_the_unit_installs_what_was_published_meanwhile(counting: Machine) -> None:
    async def script(machine: Machine) -> None:
        await waits(counts)(machine)
        switch(machine, True)
        publish(machine, 8)
        await asyncio.sleep(600)
        assert runs(7)(await status(machine))
        switch(machine, False)
        await waits(runs(8))(machine)

    counting.live(script)


def test_se_10_a_unit_that_lost_its_power_in_an_outage_runs_its_application_and_comes_back(
    counting: Machine,
) -> None:
    async def lose_power(machine: Machine) -> None:
        await waits(counts)(machine)
        switch(machine, True)
        await asyncio.sleep(60)

    async def come_back(machine: Machine) -> None:
        await waits(counts)(machine)  # the pages answer, the application runs
        before = await steps(machine)
        await asyncio.sleep(300)
        assert abs(await steps(machine) - before - 300 / STEP_S) <= 1
        publish(machine, 8)
        machine.world.is_down = False  # also for the start that the installation needs
        switch(machine, False)
        await waits(runs(8))(machine)

    counting.live(lose_power)
    counting.world.is_down = True
    again = Machine(counting.flash, counting.world)
    again.live(come_back)

"""The owner's settings for updates, in a whole unit and virtual time: on, off, postponed (UP-06, UP-07)."""

from __future__ import annotations

import asyncio
from typing import Any

from simulator.powercut import bench as made
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import sign_in, status

DAY_S = 86400
CHECKS_S = 3.5 * made.CHECK_INTERVAL_S  # long enough for three checks


async def owner_says(machine: Machine, **form: str) -> None:
    session = await machine.until("sign-in", lambda: sign_in(machine, made.PASSWORD))
    answer = await machine.request("POST", "/updates", form, session)
    assert answer.status == 200, answer.body


async def runs(machine: Machine, number: int, within_s: float = 300) -> Any:
    async def probe() -> Any:
        found = await status(machine)
        return found if found["version"].startswith(f"{number}.") and not found["is_trial"] else None

    return await machine.until(f"release {number}", probe, within_s)


async def knows_the_time(machine: Machine) -> None:
    async def probe() -> Any:
        return (await status(machine))["time"]

    await machine.until("a trusted time", probe)


def test_up_06_a_unit_takes_updates_by_itself(machine: Machine) -> None:
    machine.world.publish(2)
    found = machine.live(lambda m: runs(m, 2))
    assert found["update"]["automatic"] is True


def test_up_06_switched_off_a_release_waits_over_checks_and_restarts(machine: Machine) -> None:
    async def switch_off(machine: Machine) -> Any:
        await owner_says(machine, action="off")
        machine.world.publish(2)
        await asyncio.sleep(CHECKS_S)
        return await status(machine)

    async def look(machine: Machine) -> Any:
        await asyncio.sleep(CHECKS_S)
        return await status(machine)

    for found in (machine.live(switch_off), machine.again().live(look)):
        assert found["version"].startswith("1.")
        assert found["update"]["offered"]["sequence"] == 2


def test_up_07_one_action_installs_what_waits(machine: Machine) -> None:
    async def script(machine: Machine) -> Any:
        await owner_says(machine, action="off")
        machine.world.publish(2)
        await asyncio.sleep(CHECKS_S)
        await owner_says(machine, action="install")
        return await runs(machine, 2)

    found = machine.live(script)
    assert found["update"]["automatic"] is False, "it stays as the owner set it"


def test_up_06_a_release_that_was_put_off_comes_by_itself_when_the_days_are_over(machine: Machine) -> None:
    """The days pass by the tracker's time, which a restart does not lose."""

    async def put_off(machine: Machine) -> Any:
        await knows_the_time(machine)
        await owner_says(machine, action="postpone", days="3")
        machine.world.publish(2)
        await asyncio.sleep(CHECKS_S)
        return await status(machine)

    found = machine.live(put_off)
    assert found["version"].startswith("1.")
    assert found["update"]["offered"]["sequence"] == 2
    restarted = machine.again()
    restarted.servers.tracker.now = lambda: machine.world.bench.now_s + 2 * DAY_S

    async def look(machine: Machine) -> Any:
        await asyncio.sleep(CHECKS_S)
        return await status(machine)

    assert restarted.live(look)["version"].startswith("1.")
    later = restarted.again()
    later.servers.tracker.now = lambda: machine.world.bench.now_s + 3 * DAY_S + 3600
    assert later.live(lambda m: runs(m, 2))["update"]["automatic"] is True


def test_up_06_switched_on_again_a_release_comes_at_once(machine: Machine) -> None:
    async def script(machine: Machine) -> Any:
        await owner_says(machine, action="off")
        machine.world.publish(2)
        await asyncio.sleep(CHECKS_S)
        await owner_says(machine, action="on")
        return await runs(machine, 2)

    assert machine.live(script)["update"]["automatic"] is True


def test_up_06_check_now_does_not_wait_for_the_interval(machine: Machine) -> None:
    interval_s = made.CHECK_INTERVAL_S

    async def script(one: Machine) -> tuple[int, float]:
        async def waits() -> Any:
            found = (await status(one))["update"]
            wait_s = found["next_check_s"]
            return found if found["up_to_date"] and wait_s is not None and wait_s < interval_s - 8 else None

        before = await one.until("the middle of the wait", waits)
        await owner_says(one, action="check")
        start = asyncio.get_running_loop().time()

        async def begins_again() -> Any:
            found = (await status(one))["update"]["next_check_s"]
            return found if found is not None and found >= interval_s - 3 else None

        await one.until("the wait after the owner's check", begins_again)
        return before["next_check_s"], asyncio.get_running_loop().time() - start

    left_s, took_s = machine.live(script)
    assert took_s < left_s, "the check would have come by itself"

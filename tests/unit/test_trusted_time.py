"""Freshness and trusted time of a whole unit in virtual time: frozen, replayed, back-dated and forged records.

The unit is the firmware's own agent (simulator.powercut.machine); the servers do what a hostile one would.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from device.errors import FreshnessError, LinkError
from simulator.ports.flash import SimFlash
from simulator.powercut import bench as made
from simulator.powercut.campaign import Campaign
from simulator.powercut.flows import status
from simulator.powercut.machine import Machine

Script = Callable[[Machine], Awaitable[Any]]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(made.Bench(tmp_path_factory.mktemp("bench")))


@pytest.fixture
def machine(campaign: Campaign) -> Machine:
    """An owned unit that was never on since its set-up; its broker answers."""
    recorded = campaign.recorded("set-up")
    flash, world = SimFlash(made.LAYOUT), recorded.after.copy()
    flash.restore(recorded.end)
    world.has_mqtt, world.has_coap = True, False
    return Machine(flash, world)


def again(machine: Machine) -> Machine:
    """The same unit after a power cut."""
    machine.world.starts += 1
    machine.flash.power_on()
    return Machine(machine.flash, machine.world)


async def time_known(machine: Machine) -> int:
    """The unit's trusted time once it has one."""

    async def probe() -> int | None:
        return (await status(machine))["time"]

    return await machine.until("a trusted time", probe, 60)


async def refused(machine: Machine, code: int) -> dict[str, Any]:
    """The status page once the owner's journal has this error; the other source's link errors are not in it."""

    async def probe() -> dict[str, Any] | None:
        found = await status(machine)
        return found if code in [event["code"] for event in found["update"]["events"]] else None

    return await machine.until(f"error {code}", probe, 30)


def answering(machine: Machine, change: Callable[[bytes], bytes | None]) -> None:
    """Let the broker change what the tracker says."""
    content = machine.network._stream_peer.content  # type: ignore[union-attr]
    honest = content.freshness

    def answer(request: bytes) -> bytes | None:
        record = honest(request)
        return None if record is None else change(record)

    content.freshness = answer


def test_a_record_for_the_units_own_nonce_gives_it_the_time(machine: Machine) -> None:
    assert machine.live(time_known) >= machine.world.bench.now_s


def test_a_clock_at_1970_stands_still_until_a_record_came(machine: Machine) -> None:
    machine.world.is_down = True

    async def script(machine: Machine) -> Any:
        await asyncio.sleep(60)
        return await status(machine)

    found = machine.live(script)
    assert found["time"] is None
    assert found["support"]["state"] == "unknown"


def test_a_replayed_record_gives_no_time(machine: Machine) -> None:
    kept: list[bytes] = []
    answering(machine, lambda record: kept.append(record) or record)
    machine.live(time_known)
    restarted = again(machine)
    answering(restarted, lambda record: kept[0])
    assert restarted.live(lambda m: refused(m, FreshnessError.code))["time"] is None


def test_a_record_of_another_key_gives_no_time(machine: Machine) -> None:
    machine._tracker._signer = machine.world.bench.ring.signer("support")
    found = machine.live(lambda m: refused(m, 201))
    assert found["time"] is None


def test_a_time_before_the_floor_is_refused(machine: Machine) -> None:
    machine._tracker.now = lambda: machine.world.bench.opened_s - 400 * 86400
    assert machine.live(lambda m: refused(m, FreshnessError.code))["time"] is None


def test_the_floor_outlives_the_power(machine: Machine) -> None:
    machine._tracker.now = lambda: machine.world.bench.now_s + 30 * 86400
    machine.live(time_known)
    restarted = again(machine)
    restarted._tracker.now = lambda: machine.world.bench.now_s
    assert restarted.live(lambda m: refused(m, FreshnessError.code))["time"] is None


def test_before_trusted_time_only_keys_and_freshness_are_exchanged(machine: Machine) -> None:
    """The first connection, whose dates nobody could check, asks for nothing else; the second one has the dates."""
    broker = machine.network._stream_peer
    connections: list[list[str]] = []
    times: list[int | None] = []
    connect = broker.connect  # type: ignore[union-attr]

    def listening(send: Callable[[bytes], None]) -> Callable[[bytes], None]:
        asked: list[str] = []
        connections.append(asked)
        times.append(clock(machine))
        feed = connect(send)

        def hear(data: bytes) -> None:
            if data[0] >> 4 in (3, 8):
                asked.extend(word for word in TOPICS if word.encode() in data)
            feed(data)

        return hear

    broker.connect = listening  # type: ignore[union-attr,method-assign]

    async def script(machine: Machine) -> None:
        await time_known(machine)
        await asyncio.sleep(1)  # less than a check interval: the rest of this check

    machine.live(script)
    assert len(connections) == 2
    assert set(connections[0]) <= {"/keyset", "/fresh", "/fresh/req"}
    assert "/fresh/req" in connections[0]
    assert times[0] is None
    assert times[1] is not None


TOPICS = ("/keyset", "/fresh", "/fresh/req", "/manifest", "/support", "/report", "/o/")


def clock(machine: Machine) -> int | None:
    """What the unit has told its TLS library."""
    return machine.unit_clock.trusted_time()


def test_a_frozen_unit_says_that_it_is_stale_across_restarts(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound of 72 hours is tests/dual/test_staleness.py; here it is 20 minutes, in a whole unit."""
    monkeypatch.setattr("device.staleness.STALE_AFTER_S", 1200)
    monkeypatch.setattr("device.staleness.STALE_STEP_S", 60)

    async def run_for(machine: Machine, seconds: int) -> Any:
        await asyncio.sleep(seconds)
        return await status(machine)

    unit = machine
    unit.world.is_down = True
    for _ in range(2):
        assert unit.live(lambda m: run_for(m, 480))["update"]["is_stale"] is False
        unit = again(unit)
    assert unit.live(lambda m: run_for(m, 600))["update"]["is_stale"] is True
    unit = again(unit)
    unit.world.is_down = False
    unit.live(time_known)
    assert again(unit).live(status)["update"]["is_stale"] is False


def test_a_fleet_that_lost_its_broker_comes_back_spread_out(machine: Machine) -> None:
    """Link failures are tried again soon, then ever later, never later than the check interval."""
    asked_at: list[float] = []
    open_tls = machine.network.open_tls

    async def failing(*arguments: Any) -> Any:
        asked_at.append(asyncio.get_running_loop().time())
        raise LinkError(reason="connect: nobody answers")

    machine.network.open_tls = failing  # type: ignore[method-assign]

    async def script(machine: Machine) -> None:
        await asyncio.sleep(100)

    machine.live(script)
    machine.network.open_tls = open_tls  # type: ignore[method-assign]
    waits = [later - earlier for earlier, later in itertools.pairwise(asked_at)]
    assert all(made.CHECK_INTERVAL_S / 2 <= wait <= made.CHECK_INTERVAL_S for wait in waits)
    assert len({round(wait, 3) for wait in waits}) > len(waits) // 2, "no jitter"

"""Freshness and trusted time of a whole unit in virtual time: frozen, replayed, back-dated and forged records.

The unit is the firmware's own agent (simulator.powercut.machine); the servers behave as a hostile one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from device.errors import FreshnessError, LinkError
from device.limits import LINK_RETRY_S, NONCE_LIFE_S
from provisioning.keys import keyset
from simulator.ports.network import Link
from simulator.powercut import bench as made
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import status

Script = Callable[[Machine], Awaitable[Any]]


async def time_known(machine: Machine) -> int:
    """Return the unit's trusted time once it has one."""

    async def probe() -> int | None:
        return (await status(machine))["time"]

    return await machine.until("a trusted time", probe, 60)


async def refused(machine: Machine, code: int, within_s: float = 60) -> dict[str, Any]:
    """Return the status page once the owner's journal has this error, without link errors of the other source."""

    async def probe() -> dict[str, Any] | None:
        found = await status(machine)
        return found if code in [event["code"] for event in found["update"]["events"]] else None

    return await machine.until(f"error {code}", probe, within_s)


def answering(machine: Machine, change: Callable[[bytes], bytes | None]) -> None:
    """Let the broker change the tracker's answer."""
    content = machine.network._stream_peer.content  # type: ignore[union-attr]
    honest = content.freshness

    def answer(request: bytes) -> bytes | None:
        record = honest(request)
        return None if record is None else change(record)

    content.freshness = answer


def test_a_record_for_the_units_own_nonce_gives_it_the_time(machine: Machine) -> None:
    assert machine.live(time_known) >= machine.world.bench.now_s


def test_without_a_freshness_record_time_and_support_state_are_unknown(machine: Machine) -> None:
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
    restarted = machine.again()
    answering(restarted, lambda record: kept[0])
    assert restarted.live(lambda m: refused(m, FreshnessError.code))["time"] is None


def test_a_record_of_another_key_gives_no_time(machine: Machine) -> None:
    machine.servers.tracker._signer = machine.world.bench.ring.signer("support")
    found = machine.live(lambda m: refused(m, 201))
    assert found["time"] is None


def test_a_time_before_the_floor_is_refused(machine: Machine) -> None:
    machine.servers.tracker.now = lambda: machine.world.bench.opened_s - 400 * 86400
    assert machine.live(lambda m: refused(m, FreshnessError.code))["time"] is None


def test_the_floor_outlives_the_power(machine: Machine) -> None:
    machine.servers.tracker.now = lambda: machine.world.bench.now_s + 30 * 86400
    machine.live(time_known)
    restarted = machine.again()
    restarted.servers.tracker.now = lambda: machine.world.bench.now_s
    assert restarted.live(lambda m: refused(m, FreshnessError.code))["time"] is None


def test_before_trusted_time_only_keys_and_freshness_are_exchanged(machine: Machine) -> None:
    """The first connection, without checked dates, requests nothing else; the second one checks dates."""
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
    """Return the time that the unit gave its TLS library."""
    return machine.unit_clock.trusted_time()


def test_a_frozen_unit_says_that_it_is_stale_across_restarts(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/dual/test_staleness.py tests the limit of 72 hours; here it is 20 minutes, in a whole unit."""
    monkeypatch.setattr("device.records.staleness.STALE_AFTER_S", 1200)
    monkeypatch.setattr("device.records.staleness.STALE_STEP_S", 60)

    async def run_for(machine: Machine, seconds: int) -> Any:
        await asyncio.sleep(seconds)
        return await status(machine)

    unit = machine
    unit.world.is_down = True
    for _ in range(2):
        assert unit.live(lambda m: run_for(m, 480))["update"]["is_stale"] is False
        unit = unit.again()
    assert unit.live(lambda m: run_for(m, 600))["update"]["is_stale"] is True
    unit = unit.again()
    unit.world.is_down = False
    unit.live(time_known)
    assert unit.again().live(status)["update"]["is_stale"] is False


def test_a_fleet_that_lost_its_broker_comes_back_spread_out(machine: Machine) -> None:
    """A failed link is tried again soon, then later each time, at most after the check interval."""
    asked_at: list[float] = []
    open_tls = machine.network.open_tls

    async def failing(*arguments: Any) -> Any:
        asked_at.append(asyncio.get_running_loop().time())
        raise LinkError(reason="connect: nobody answers")

    machine.network.open_tls = failing  # type: ignore[method-assign]

    async def script(machine: Machine) -> None:
        await asyncio.sleep(20 * made.CHECK_INTERVAL_S)

    machine.live(script)
    machine.network.open_tls = open_tls  # type: ignore[method-assign]
    waits = [later - earlier for earlier, later in itertools.pairwise(asked_at)]
    longest = [min(LINK_RETRY_S << number, made.CHECK_INTERVAL_S) for number in range(len(waits))]
    assert len(waits) > 10
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert len({round(wait, 3) for wait in waits}) > len(waits) // 2, "no jitter"


def test_checks_of_a_working_unit_are_spread_over_a_tenth_of_the_interval(machine: Machine) -> None:
    """UP-05: units that were switched on together do not send their checks together permanently."""
    asked_at: list[float] = []
    answering(machine, lambda record: asked_at.append(asyncio.get_running_loop().time()) or record)

    async def script(machine: Machine) -> None:
        await asyncio.sleep(20 * made.CHECK_INTERVAL_S)

    machine.live(script)
    waits = [later - earlier for earlier, later in itertools.pairwise(asked_at)]
    spent = 10  # the check itself, which waits for absent retained topics
    assert len(waits) > 10
    assert all(made.CHECK_INTERVAL_S <= wait <= made.CHECK_INTERVAL_S * 1.1 + spent for wait in waits)
    assert max(waits) - min(waits) > made.CHECK_INTERVAL_S / 40, "no jitter"


def test_a_record_that_was_delayed_past_its_nonces_life_gives_no_time(machine: Machine) -> None:
    """A CoAP server may answer as long as the request is sent again: up to 93 s, longer than a nonce lives."""
    world = machine.world
    world.has_mqtt, world.has_coap = False, True
    slow = Machine(machine.flash, world)
    slow.network.down = Link(delay_s=NONCE_LIFE_S + 1)

    async def script(machine: Machine) -> Any:
        async def probe() -> Any:
            found = await status(machine)
            error = found["update"]["last_error"]
            return found if error and error["code"] == FreshnessError.code else None

        return await machine.until("the refusal", probe, 900)

    found = slow.live(script)
    assert "nonce expired" in found["update"]["last_error"]["text"]
    assert found["time"] is None


def test_a_record_that_is_held_back_for_the_next_nonce_gives_no_time(machine: Machine) -> None:
    kept: list[bytes] = []

    def one_behind(record: bytes) -> bytes | None:
        kept.append(record)
        return kept[-2] if len(kept) > 1 else None

    answering(machine, one_behind)
    found = machine.live(lambda m: refused(m, FreshnessError.code, 200))
    assert "reason=nonce" in found["update"]["events"][-1]["text"]
    assert found["time"] is None


def test_a_time_beyond_the_interval_of_the_trackers_key_is_refused(machine: Machine) -> None:
    """A stolen tracker's key moves time no further than the roots allowed (forward-dated records)."""
    last_s = keyset.ensure_plan(machine.world.bench.ring.directory).tracker_last_s
    machine.servers.tracker.now = lambda: last_s + 1
    found = machine.live(lambda m: refused(m, FreshnessError.code))
    assert found["time"] is None
    restarted = machine.again()
    restarted.servers.tracker.now = lambda: machine.world.bench.now_s
    assert restarted.live(time_known) < machine.world.bench.now_s + 600, "the floor was moved"


def test_a_support_state_needs_a_signed_time(machine: Machine) -> None:
    """SP-10 in a whole unit: no false "supported" and no false "ended", whatever the servers send."""
    machine.servers.tracker._signer = machine.world.bench.ring.signer("author")
    machine.servers.tracker.now = lambda: machine.world.bench.now_s + 300 * 86400
    assert machine.live(lambda m: refused(m, 201))["support"]["state"] == "unknown"

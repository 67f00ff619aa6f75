"""A unit that lost its OSCORE counter refuses CoAP and uses no number again; MQTT keeps working."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from device.agent.sources import load_sources
from device.agent.unit import Unit
from device.errors import CounterLostError, RecordDamagedError
from device.records.store import Store
from simulator import virtual
from simulator.ports.network import MemoryNetwork
from simulator.powercut.machine import Machine
from tests.unit.device.agent.test_assembly import build, with_unit


def lose(store: Store) -> None:
    store.delete("oscore.seq")


def shorten(store: Store) -> None:
    store.write("oscore.seq", b"1")


def damage(store: Store) -> None:
    store._records.write("oscore.seq", bytes(40))


def test_the_factory_begins_the_counter(machine: Machine) -> None:
    with_unit(machine, lambda unit, device: None)
    found: list[bytes | None] = []
    with_unit(machine, lambda unit, device: found.append(device.read("oscore.seq")))
    assert found[0] is not None and len(found[0]) == 8


@pytest.mark.parametrize("harm", [lose, shorten, damage])
def test_coap_is_refused_without_the_counter_and_nothing_is_sent(
    machine: Machine, harm: Callable[[Store], None]
) -> None:
    network = MemoryNetwork(datagram_peer=object())  # type: ignore[arg-type]
    found: list[Any] = []

    def look(unit: Unit, device: Store) -> None:
        harm(device)
        found.extend(load_sources(device, unit._ports._replace(network=network), bytes(16), bytes(16)))

    with_unit(machine, look)
    (coap,) = [source for source in found if source.name == "coap"]
    assert any(source.name == "mqtt" for source in found)

    async def ask() -> None:
        await coap.open()
        await coap.keyset()

    with pytest.raises(CounterLostError):
        virtual.run(ask())
    assert network.sent == 0


def test_a_damaged_record_of_servers_is_an_event_and_not_a_restart_for_ever(machine: Machine) -> None:
    def look(unit: Unit, device: Store) -> None:
        device._records.write("servers", bytes(40))
        unit._signals.owned.set()
        task = asyncio.ensure_future(unit._keep_updated())
        tasks.append((task, unit))

    async def run() -> None:
        await build(machine, look)
        await asyncio.sleep(60)
        task, unit = tasks[0]
        assert not task.done()
        assert unit._updates.journal.entries[-1][1] == RecordDamagedError.code
        task.cancel()

    tasks: list[tuple[asyncio.Task[None], Unit]] = []
    virtual.run(run())


def test_a_damaged_key_of_the_pages_is_an_event_and_not_a_restart_for_ever(machine: Machine) -> None:
    found: list[Any] = []

    async def run() -> None:
        def look(unit: Unit, device: Store) -> None:
            device._records.write("web.key", bytes(40))
            found.append(unit)

        await build(machine, look)
        await found[0]._serve_pages()
        assert found[0]._updates.journal.entries[-1][1] == RecordDamagedError.code

    virtual.run(run())

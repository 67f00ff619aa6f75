"""Each round makes the CoAP sources of a unit again; their numbers and pauses go on."""

from __future__ import annotations

from typing import Any

from device.agent.sources import Sources, load_sources
from device.agent.unit import Unit
from device.records.store import Store
from simulator.powercut.machine import Machine
from tests.unit.device.agent.test_assembly import with_unit


def loaded(machine: Machine) -> Sources:
    found: list[Sources] = []

    def look(unit: Unit, device: Store) -> None:
        found.append(load_sources(device, unit._ports, bytes(16), bytes(16)))

    with_unit(machine, look)
    return found[0]


def coap_of(sources: Sources) -> Any:
    (coap,) = [source for source in sources if source.name == "coap"]
    return coap


def test_a_round_goes_on_with_the_oscore_numbers_of_the_round_before(machine: Machine) -> None:
    sources = loaded(machine)
    first, second = coap_of(sources), coap_of(sources)
    assert first is not second
    assert [first._sequence.take(), second._sequence.take(), first._sequence.take()] == [0, 1, 2]


def test_a_round_waits_for_a_server_that_did_not_respond_in_the_round_before(machine: Machine) -> None:
    sources = loaded(machine)
    coap_of(sources).probing.unanswered(0, 1024)
    assert coap_of(sources).probing.wait_ms(1000) == 1_023_000


def test_the_source_over_mqtt_keeps_its_buffers(machine: Machine) -> None:
    sources = loaded(machine)
    first, second = ([one for one in sources if one.name == "mqtt"] for _ in range(2))
    assert first == second


def test_two_servers_of_one_kind_have_names_of_their_own() -> None:
    class Broker:
        name = "mqtt"

    class Server:
        name = "coap"

    lasting: Any = Broker()
    makers: list[Any] = [Broker, Server, lambda: lasting, Server, Broker]
    names = ["mqtt", "coap", "mqtt 2", "coap 2", "mqtt 3"]
    sources = Sources(makers, 60)
    for _ in range(2):
        assert [source.name for source in sources] == names

"""Improv Wi-Fi on a serial line and over Bluetooth: a client without the set-up code chooses no network."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from memory_unit import CODE

from device.crypto import backend
from device.net import improv, improv_ble
from device.owner import lifecycle
from tests.dual.test_improv import Services
from tests.dual.test_improv_ble import Client
from tests.property.radio_walk import COMMANDS, WRONG_CODE, allowed

_STEPS = st.lists(st.tuples(COMMANDS, st.integers(0, 400_000)), max_size=15)


@given(_STEPS, st.binary(max_size=40))
def test_no_walk_on_the_serial_line_without_the_code_chooses_a_network(
    steps: list[tuple[bytes, int]], noise: bytes
) -> None:
    services = Services()
    line = improv.SerialConversation(services)
    reader = improv.Decoder()
    line.receive(noise)
    for data, passed_ms in steps:
        services.unit.clock.ms += passed_ms
        answer = line.receive(improv.packet(improv.RPC, data)) + line.tick()
        assert allowed([found for found in reader.feed(answer) if found is not None])
        assert line.state() == improv.AWAITING
    assert services.chosen == [] and services.unit.state() == lifecycle.FACTORY_DEFAULT


@given(_STEPS, st.binary(max_size=40), st.booleans())
def test_no_walk_over_bluetooth_without_the_code_chooses_a_network(
    steps: list[tuple[bytes, int]], noise: bytes, is_sealed: bool
) -> None:
    client = Client(WRONG_CODE)
    client.line.receive(noise)
    client.line = improv_ble.BleConversation(client.services)
    for data, passed_ms in steps:
        client.services.unit.clock.ms += passed_ms
        if is_sealed:
            client.challenge()
        sent = client.seal(data) if is_sealed else data
        assert allowed(client.write(sent) + client.line.tick())
        assert client.line.state() == improv.AWAITING
    assert client.services.chosen == []


@given(_STEPS)
def test_no_walk_with_an_earlier_code_reaches_a_unit_that_has_an_owner(
    steps: list[tuple[bytes, int]],
) -> None:
    client = Client(CODE)
    client.challenge()
    services = client.services
    line = improv.SerialConversation(services)
    line.receive(improv.packet(improv.RPC, bytes((improv.PROVE, len(CODE))) + CODE.encode()))
    services.unit.set_up()
    for data, _ in steps:
        line.receive(improv.packet(improv.RPC, data))
        assert allowed(client.write(client.seal(data)))
        assert improv.STOPPED == line.state() == client.line.state()
    assert services.chosen == []


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=239), st.integers(0, 2**40), st.booleans())
def test_a_seal_opens_with_its_own_number_and_side_only(
    key: bytes, plain: bytes, number: int, is_from_unit: bool
) -> None:
    sealed = improv_ble.seal(key, is_from_unit, number, plain)
    assert sealed[0] == improv_ble.SEALED and sealed[1] == len(sealed) - 2
    assert improv_ble.unseal(key, is_from_unit, number, sealed[2:]) == plain
    other = backend.sha256(key)[:16]
    for wrong in (
        (other, is_from_unit, number),
        (key, not is_from_unit, number),
        (key, is_from_unit, number + 1),
    ):
        try:
            improv_ble.unseal(*wrong, sealed[2:])
        except ValueError:
            continue
        raise AssertionError(wrong)

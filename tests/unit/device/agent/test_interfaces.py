"""The inventory of interfaces is the same in all files, and a simulated unit opens what it declares (SE-05)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.limits import MDNS_GROUP, MDNS_PORT
from device.owner import lifecycle
from device.records.store import USER, Store
from device.web.routes import ROUTES
from simulator.ports.air import Air
from simulator.ports.records import user_records
from simulator.story.running import ANSWERS_S
from tests.interfaces import DOCS, declared, open_ports, places, table_row
from tests.running import PASSWORD, FactoryUnit, give_radio, simulated

__all__ = ["simulated"]

OWN_KEY = "aaaa-bbbb-cccc-dddd"
LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp
NOT_CONNECTED = "07"  # how /proc/net/udp shows a socket without a peer


def own_sockets(protocol: str, state: str) -> set[int]:
    """Return the local ports of this process's sockets in a state, as the kernel lists them."""
    inodes = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if found := re.fullmatch(r"socket:\[(\d+)\]", target):
            inodes.add(found.group(1))
    ports = set()
    for family in (protocol, protocol + "6"):
        for line in Path(f"/proc/self/net/{family}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == state and cells[9] in inodes:
                ports.add(int(cells[1].rpartition(":")[2], 16))
    return ports


@pytest.mark.parametrize("state", [lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED])
def test_se_05_a_simulated_unit_listens_where_it_declares(simulated: FactoryUnit, state: str) -> None:
    simulated.machine.cut_power()
    before = own_sockets("tcp", LISTENING), own_sockets("udp", NOT_CONNECTED)
    if state == lifecycle.FACTORY_DEFAULT:
        simulated.fresh()
    else:
        simulated.owned()
        simulated.wait("sign-in", lambda: simulated.world.owner.sign_in(PASSWORD) or None)
    opened = own_sockets("tcp", LISTENING) - before[0]
    assert opened == {simulated.address[1]}
    assert len(opened) == len(open_ports("tcp", state))
    assert own_sockets("udp", NOT_CONNECTED) - before[1] == open_ports("udp", state) == set()


@pytest.mark.parametrize("state", [lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED])
def test_se_05_a_simulated_unit_with_multicast_opens_the_declared_group_and_no_more(
    simulated: FactoryUnit, state: str
) -> None:
    simulated.machine.cut_power()
    before = own_sockets("udp", NOT_CONNECTED)
    simulated.machine.group_port = MDNS_PORT
    try:
        if state == lifecycle.FACTORY_DEFAULT:
            simulated.fresh()
        else:
            simulated.owned()
        simulated.wait("its name", lambda: "name: fb-" in simulated.machine.console.text or None)
        opened = own_sockets("udp", NOT_CONNECTED) - before
    finally:
        simulated.machine.group_port = None
        simulated.machine.cut_power()
    assert {f"{MDNS_GROUP}:{port}" for port in opened} == places("multicast", "in", state)


Sockets = tuple[set[int], set[int]]  # ports: of TCP servers, of UDP sockets without a peer


def opened_since(before: Sockets) -> Sockets:
    return own_sockets("tcp", LISTENING) - before[0], own_sockets("udp", NOT_CONNECTED) - before[1]


@pytest.fixture
def with_radio(simulated: FactoryUnit) -> Iterator[tuple[FactoryUnit, Air, Sockets]]:
    """A unit in factory default with a radio, near a router; its air, and the sockets before it was switched on."""
    simulated.fresh()
    machine = simulated.machine
    machine.cut_power()
    before = own_sockets("tcp", LISTENING), own_sockets("udp", NOT_CONNECTED)
    air = give_radio(simulated, OWN_KEY)
    air.add("Home", "correct horse 7")
    try:
        simulated.start()
        yield simulated, air, before
    finally:
        machine.cut_power()
        machine.air = None


def test_se_05_the_access_point_has_the_declared_servers_and_they_end_with_it(
    with_radio: tuple[FactoryUnit, Air, Sockets],
) -> None:
    unit, air, before = with_radio
    machine, owner = unit.machine, unit.world.owner
    unit.wait("the access point", lambda: machine.radio.answers_port or None)
    inside = {unit.address[1], machine.radio.page_port}, {machine.radio.answers_port}
    assert opened_since(before) == inside
    assert air.phone_joins(machine.radio.own_name, OWN_KEY)
    assert owner.set_up(unit.world.unit.setup_code, PASSWORD).status == 303
    unit.wait("sign-in", lambda: owner.sign_in(PASSWORD) or None)
    assert opened_since(before) == inside  # initialised, and without a network
    form = {"action": "join", "network": "other", "name": "Home", "passphrase": "correct horse 7"}
    assert owner.request("POST", "/network", form).status == 303
    unit.wait("the network", lambda: machine.radio.router)
    assert owner.request("POST", "/network", {"action": "finish"}).status == 200
    unit.wait("a closed access point", lambda: not air.units or None)
    unit.wait("no more servers", lambda: opened_since(before) == ({unit.address[1]}, set()) or None)
    for state in (lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED):
        assert [len(places(kind, "in", state)) for kind in ("wifi", "wifi tcp", "wifi udp")] == [1, 1, 1]


def test_se_05_a_failed_unit_has_neither_access_point_nor_servers(
    with_radio: tuple[FactoryUnit, Air, Sockets],
) -> None:
    unit, air, before = with_radio
    machine = unit.machine
    assert unit.world.owner.set_up(unit.world.unit.setup_code, PASSWORD).status == 303
    machine.cut_power()
    assert not air.units
    machine.flash.power_on()
    records = user_records(machine.flash, machine.flash.layout)
    records.mount()
    Store(records, USER).delete("credential")  # lost from an owned unit
    machine.power_on()
    machine.console.wait_for(r"^failed: ", ANSWERS_S)
    assert not air.units and opened_since(before) == (set(), set())


def test_what_a_radio_or_multicast_offers_is_declared_in_states_with_pages_only() -> None:
    with_pages = {state for state in lifecycle.STATES if lifecycle.ACCESS[state].web}
    kinds = ("wifi", "wifi tcp", "wifi udp", "bluetooth", "multicast")
    entries = [entry for entry in declared() if entry["kind"] in kinds or entry["name"].startswith("Improv")]
    assert len(entries) == 7  # access point, page, names, Improv twice, the owner's network, mDNS
    assert all(set(entry["states"]) <= with_pages for entry in entries)
    improv = [entry["states"] for entry in entries if entry["name"].startswith("Improv")]
    assert improv == [[lifecycle.FACTORY_DEFAULT]] * 2


def test_every_state_of_the_life_cycle_is_in_the_inventory() -> None:
    named = {state for entry in declared() for state in entry["states"]}
    assert named == set(lifecycle.STATES)


def test_pages_are_declared_in_the_states_that_have_routes() -> None:
    with_routes = {state for route in ROUTES for state in route.states}
    assert {state for state in lifecycle.STATES if "443" in places("tcp", "in", state)} == with_routes


def test_the_table_is_made_of_the_data() -> None:
    text = (DOCS / "interfaces.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows == [table_row(entry) for entry in declared()]

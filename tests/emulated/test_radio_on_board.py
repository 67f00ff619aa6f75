"""A unit with a radio on the emulated board: from the label to the owner's Wi-Fi, with what goes wrong on the way.

The firmware, its pages and its TCP/IP are real; the radio is a model on the host (simulator/story/radio_model.py).
"""

from __future__ import annotations

import http.client
import shutil
import socket
from contextlib import closing
from typing import Any

import pytest

from device.net import improv, wifi
from provisioning import fair_time
from provisioning.onboarding.improv import Client as ImprovClient
from provisioning.onboarding.improv import SerialChannel
from simulator.ports.air import router_of
from tests.dual.test_improv import SDK_GET_STATE, command, error, settings, state
from tests.emulated.processes import listening_ports
from tests.emulated.radio_unit import HOME, HOME_KEY, NEW_KEY, WAIT_S, RadioUnit, radio_unit
from tests.running import PASSWORD

__all__ = ["radio_unit"]

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"),
]


def test_an_owner_goes_from_the_label_to_the_network_and_a_wrong_passphrase_costs_one_more_try(
    radio_unit: RadioUnit,
) -> None:
    unit = radio_unit.boxed()
    home = unit.air.add(HOME, HOME_KEY)
    assert unit.air.phone_joins(unit.own_name, unit.own_key)
    assert not unit.air.phone_joins(unit.own_name, unit.own_key[:-1])
    unit.set_up()
    assert unit.network()["networks"] == []  # the router was switched on after the unit
    assert '<option value="486f6d65/WPA2">' in unit.page()
    unit.choose(HOME, "correct horse 8")
    assert unit.until("a refusal", unit.result) == wifi.PASSPHRASE
    assert "did not accept this passphrase" in unit.page() and unit.is_open()
    unit.choose(HOME, HOME_KEY)
    assert unit.until("the result", unit.result) == wifi.JOINED
    assert unit.machine.radio_model.radio.router is home
    unit.until("the maker's servers", lambda: unit.world.owner.status()["last_contact"])
    assert "The device is connected to Home." in unit.page()
    assert unit.world.owner.request("POST", "/network", {"action": "finish"}).status == 200
    unit.machine.console.wait_for(r"^access point: closed\n", WAIT_S)
    assert not unit.is_open()
    assert unit.world.owner.status()["network"]["network"] == HOME
    printed = unit.machine.console.text
    assert HOME_KEY not in printed and unit.own_key not in printed


def test_a_phone_in_the_access_point_is_led_to_the_pages(radio_unit: RadioUnit) -> None:
    unit = radio_unit.boxed()
    gateway = unit.machine.gateway

    def landing() -> str | None:
        try:
            with closing(
                http.client.HTTPConnection("127.0.0.1", gateway.host_port(80), timeout=600)
            ) as phone:
                phone.request("GET", "/", headers={"Host": "10.0.2.15"})
                return phone.getresponse().read().decode()
        except http.client.HTTPException:
            return None  # the connection ended early

    assert "Continue" in unit.until("the plain page", landing)
    question = bytes.fromhex("1234 0100 0001 0000 0000 0000".replace(" ", "")) + b"\x07example\x03com\x00"
    question += b"\x00\x01\x00\x01"

    def ask() -> bytes | None:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as phone:
            phone.settimeout(5)
            phone.sendto(question, ("127.0.0.1", gateway.host_udp_port(53)))
            return phone.recv(512)

    answer = unit.until("a name", ask)
    assert answer[:2] == question[:2] and answer[-4:] == socket.inet_aton("10.0.2.15")


def test_in_a_captive_network_the_page_says_that_no_server_is_reached_and_another_network_works(
    radio_unit: RadioUnit,
) -> None:
    unit = radio_unit.boxed()
    hotel = unit.air.add("Hotel", is_captive=True)
    home = unit.air.add(HOME, HOME_KEY)
    unit.joined(home)
    unit.until("the maker's servers", lambda: ">reached<" in unit.page() or None)
    unit.choose("Hotel", "")
    assert unit.until("the result", unit.result) == wifi.JOINED
    assert unit.machine.radio_model.radio.router is hotel
    before = unit.machine.gateway.counters.dropped_no_link
    unit.until(
        "a packet that the hotel keeps",
        lambda: unit.machine.gateway.counters.dropped_no_link > before or None,
    )
    assert "not reached yet" in unit.page()
    unit.choose(HOME, HOME_KEY)
    assert unit.until("the result", unit.result) == wifi.JOINED
    assert unit.machine.radio_model.radio.router is home


def test_a_router_that_changes_its_passphrase_is_told_the_unit_over_its_access_point_after_a_press(
    radio_unit: RadioUnit,
) -> None:
    unit = radio_unit.boxed()
    home = unit.air.add(HOME, HOME_KEY)
    unit.joined(home)
    assert unit.world.owner.request("POST", "/network", {"action": "finish"}).status == 200
    unit.machine.console.wait_for(r"^access point: closed\n", WAIT_S)
    home.passphrase = NEW_KEY.encode()
    unit.machine.console.wait_for(r"^network: lost\n", WAIT_S)
    unit.machine.console.wait_for(r"^network: passphrase\n", WAIT_S)
    assert not unit.is_open()
    unit.machine.press_button()
    unit.machine.console.wait_for(r"^access point: open\n", WAIT_S)
    unit.until("a page", lambda: unit.page() or None)
    assert "no longer accepts the saved passphrase" in unit.page()
    unit.choose(HOME, NEW_KEY)
    assert unit.until("the result", unit.result) == wifi.JOINED
    assert unit.machine.radio_model.radio.router is home


def test_after_a_power_cut_the_unit_joins_its_network_again_and_opens_nothing(radio_unit: RadioUnit) -> None:
    unit = radio_unit.boxed()
    home = unit.air.add(HOME, HOME_KEY)
    unit.joined(home)
    unit.machine.cut_power()
    assert not unit.is_open()
    unit.machine.console.skip()
    unit.machine.power_on()
    unit.machine.console.wait_for(r"^network: joined\n", WAIT_S)
    unit.until("a sign-in", lambda: unit.world.owner.sign_in(PASSWORD) or None)
    assert unit.machine.radio_model.radio.router is home and not unit.is_open()
    assert listening_ports(unit.machine.process_id) == []


def test_an_owner_who_lost_password_and_network_resets_the_unit_and_begins_again_with_the_label(
    radio_unit: RadioUnit,
) -> None:
    home = router_of(HOME, HOME_KEY)
    unit = radio_unit.boxed(home)
    owner, code = unit.world.owner, unit.world.unit.setup_code
    unit.joined(home)
    home.passphrase = NEW_KEY.encode()
    for is_held in (True, False):  # the reset, and the next start
        unit.machine.cut_power()
        unit.machine.console.skip()
        owner.sign_out()
        unit.start(button_held=is_held)
    assert unit.air.phone_joins(unit.own_name, unit.own_key)
    assert owner.set_up(code, PASSWORD).status == 403  # the first owner knows the code too
    unit.machine.press_button()
    unit.until("set-up", lambda: owner.set_up(code, PASSWORD).status == 303 or None)
    assert owner.sign_in(PASSWORD)
    assert unit.network()["network"] is None  # the passphrase of the first owner is gone
    unit.choose(HOME, NEW_KEY)
    assert unit.until("the result", unit.result) == wifi.JOINED


class Client:
    """Improv's client on the board's line."""

    def __init__(self, unit: RadioUnit) -> None:
        self._line = unit.machine.improv_line
        self._line.close()  # what an earlier test left unread
        self._decoder = improv.Decoder()
        self._heard: list[Any] = []

    def ask(self, data: bytes, *expected: Any) -> None:
        """Send packets; the unit's next ones must be `expected`."""
        self._line.write(data)
        self.hear(*expected)

    def hear(self, *expected: Any) -> None:
        assert self.take(len(expected)) == list(expected)

    def take(self, count: int) -> list[Any]:
        end_s = fair_time.now() + WAIT_S
        while len(self._heard) < count:
            assert fair_time.now() < end_s, self._heard
            self._heard += self._decoder.feed(self._line.read(0.2))
        found, self._heard = self._heard[:count], self._heard[count:]
        return found


def test_improv_on_the_boards_serial_line_joins_a_network_for_the_holder_of_the_code_only(
    radio_unit: RadioUnit,
) -> None:
    unit = radio_unit.boxed()
    home = unit.air.add(HOME, HOME_KEY)
    client = Client(unit)
    refused = error(improv.NOT_AUTHORISED)
    client.ask(b"noise\x01IMPR" + SDK_GET_STATE, error(0), state(improv.AWAITING))
    for asked in (settings(), command(improv.GET_INFO), command(improv.GET_NETWORKS)):
        client.ask(asked, refused)
    client.ask(command(improv.PROVE, b"Z" * 21), refused, state(improv.AWAITING))
    client.ask(command(improv.PROVE, unit.world.unit.setup_code.encode()), error(0), state(improv.AUTHORISED))
    facts = improv.result(improv.GET_INFO, (b"Firstboot", b"1.0.0+1", b"mps2_an385", unit.own_name.encode()))
    client.ask(command(improv.GET_INFO), (improv.RPC_RESULT, facts))
    client.ask(settings(b"Home", b"correct horse 8"), error(0), state(improv.PROVISIONING))
    client.hear(error(improv.UNABLE), state(improv.AUTHORISED))
    client.ask(settings(b"Home", HOME_KEY.encode()), error(0), state(improv.PROVISIONING))
    address = improv.result(improv.SETTINGS, (f"https://{unit.own_name}.local/".encode(),))
    client.hear(state(improv.PROVISIONED), (improv.RPC_RESULT, address))
    assert unit.machine.radio_model.radio.router is home
    unit.set_up()
    client.ask(SDK_GET_STATE, error(0), state(improv.STOPPED))
    client.ask(settings(), refused)
    client.ask(command(improv.PROVE, unit.world.unit.setup_code.encode()), refused)
    assert HOME_KEY not in unit.machine.console.text


def test_the_projects_client_brings_a_boxed_board_onto_a_network(radio_unit: RadioUnit) -> None:
    unit = radio_unit.boxed()
    home = unit.air.add(HOME, HOME_KEY)
    line = unit.machine.improv_line
    line.close()  # what an earlier test left unread
    client = ImprovClient(SerialChannel(line))
    client.authorise(unit.world.unit.setup_code)
    assert client.facts().board == "mps2_an385"
    unit.until("a scan", lambda: client.networks() or None)
    assert client.join(HOME.encode(), HOME_KEY.encode()) == f"https://{unit.own_name}.local/"
    assert unit.machine.radio_model.radio.router is home

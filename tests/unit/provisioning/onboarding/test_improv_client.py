"""The client of Improv Wi-Fi: the bytes of its seal, and its conversation with the device's own code."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from memory_unit import CODE
from test_improv import Services

from device.net import improv, improv_ble, wifi
from provisioning.onboarding.flow import AlreadySetUpError
from provisioning.onboarding.improv import (
    Client,
    CodeRefusedError,
    ImprovError,
    JoinError,
    SealedChannel,
    SerialChannel,
    command,
    sealing_key,
    texts_of,
)
from simulator.ports.bluetooth import SimBluetooth
from simulator.story.line_port import LinePort
from tests.running import FactoryUnit, give_radio, simulated

__all__ = ["simulated"]

HOME, HOME_KEY = b"Home", b"correct horse 7"
OTHER_CODE = "Z" * 21
SALT, NONCE = bytes(range(16)), bytes(range(100, 116))

# A conversation that was computed once with hashlib and cryptography's AES-CCM: any other client must make these bytes.
KEY = bytes.fromhex("eb089ee8443f4529a1bf6a040d8830cc")
SETTINGS_SEALED = bytes.fromhex(
    "f327ac08690166954d0b43293bea333e3ed88caedc3314289bb8cd00aba998388758ea3c368aedc624"
)
ADDRESS_SEALED = bytes.fromhex(
    "f326ea2e3ad816988790c6580f4ca4c7c080a93a84e1a3d524d617446bf25922c7c493987f13e2fb"
)


class Twin:
    """A device's own conversation in this process, as a serial line or as Improv's service over Bluetooth."""

    def __init__(self, code: str = CODE) -> None:
        self.services = Services()
        self.outcome = wifi.JOINED
        self.change: Callable[[bytes], bytes] = lambda value: value  # what a stranger makes of a result
        self.heard: list[bytes] = []
        self._events: list[tuple[int, bytes]] = []
        self._bytes = b""
        owner = self.services.unit.owner
        self.services.proof_key = owner.proof_key
        self.services.random_bytes = self.services.unit.entropy.random_bytes

    def serial(self) -> Any:
        conversation = improv.SerialConversation(self.services)

        class Line:
            def write(_, data: bytes) -> None:
                self._bytes += conversation.receive(data)

            def read(_, timeout_s: float) -> bytes:
                self._bytes += self._ticked(conversation)
                found, self._bytes = self._bytes, b""
                return found

        return Line()

    def bluetooth(self) -> Any:
        conversation = improv_ble.BleConversation(self.services)

        class Service:
            def write(_, data: bytes) -> None:
                self.heard.append(data)
                self._events += conversation.receive(data)

            def read(_, timeout_s: float) -> tuple[int, bytes] | None:
                self._events += self._ticked(conversation)
                if not self._events:
                    return None
                kind, data = self._events.pop(0)
                if kind != improv.RPC_RESULT:
                    return kind, data
                self.heard.append(data)
                return kind, self.change(improv_ble.frame(data))

        return Service()

    def _ticked(self, conversation: Any) -> Any:
        if self.services.outcome == wifi.JOINING:
            self.services.outcome = self.outcome
        return conversation.tick()


@pytest.fixture(params=["serial", "bluetooth"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def client_of(twin: Twin, kind: str) -> Client:
    if kind == "serial":
        return Client(SerialChannel(twin.serial()))
    return Client(SealedChannel(twin.bluetooth()))


def test_the_key_is_the_hmac_of_context_and_nonce_under_the_verifier_of_the_code() -> None:
    verifier = hmac.digest(SALT, CODE.encode(), hashlib.sha256)
    expected = hmac.digest(verifier, b"firstboot improv ble" + NONCE, hashlib.sha256)[:16]
    assert sealing_key(CODE, SALT, NONCE) == expected == KEY


def test_the_seal_of_each_side_is_aes_ccm_with_direction_and_number_in_its_nonce() -> None:
    settings = b"\x01\x15\x04Home\x0fcorrect horse 7"
    sealed = AESCCM(KEY, 16).encrypt(bytes(12) + b"\x01", settings, b"")
    assert improv_ble.seal(KEY, False, 1, settings) == bytes((0xF3, len(sealed))) + sealed == SETTINGS_SEALED
    address = improv.result(improv.SETTINGS, (b"https://fb-1.local/",))
    sealed = AESCCM(KEY, 16).encrypt(b"\x01" + bytes(12), address, b"")
    assert improv_ble.seal(KEY, True, 0, address) == bytes((0xF3, len(sealed))) + sealed == ADDRESS_SEALED


def test_the_holder_of_the_code_reads_facts_and_networks_and_joins_one(kind: str) -> None:
    twin = Twin()
    client = client_of(twin, kind)
    client.authorise(CODE)
    assert client.facts() == ("Firstboot", "1.0.0+0", "board", "fb-1")
    assert client.networks() == [(b"Home", -50, False), (b"Guest", -70, True)]
    assert client.join(HOME, HOME_KEY) == "https://fb-1.local/"
    assert twin.services.chosen == [(HOME, HOME_KEY)]


def test_over_bluetooth_neither_code_nor_name_nor_passphrase_crosses_the_air_in_the_clear() -> None:
    twin = Twin()
    client = client_of(twin, "bluetooth")
    client.authorise(CODE)
    client.facts()
    client.networks()
    client.join(HOME, HOME_KEY)
    crossed = b"".join(twin.heard)
    for secret in (CODE.encode(), HOME, HOME_KEY, b"fb-1", b"Guest"):
        assert secret not in crossed


def test_another_code_is_refused_and_asks_for_nothing_more(kind: str) -> None:
    twin = Twin()
    client = client_of(twin, kind)
    with pytest.raises(CodeRefusedError):
        client.authorise(OTHER_CODE)
    assert twin.services.chosen == []


def test_a_network_that_is_not_joined_can_be_tried_again(kind: str) -> None:
    twin = Twin()
    client = client_of(twin, kind)
    client.authorise(CODE)
    twin.outcome = wifi.PASSPHRASE
    with pytest.raises(JoinError):
        client.join(HOME, b"correct horse 8")
    twin.outcome = wifi.JOINED
    assert client.join(HOME, HOME_KEY) == "https://fb-1.local/"


def test_a_device_with_an_owner_takes_no_code(kind: str) -> None:
    twin = Twin()
    twin.services.unit.set_up()
    with pytest.raises(AlreadySetUpError if kind == "serial" else CodeRefusedError):
        client_of(twin, kind).authorise(CODE)


def _in_the_clear(value: bytes) -> bytes:
    return improv_ble.frame(improv.result(improv.GET_INFO, (b"Firstboot", b"1", b"board", b"fb-2")))


def _of_another(value: bytes) -> bytes:
    return improv_ble.frame(improv_ble.seal(bytes(16), True, 1, improv.result(improv.GET_INFO, ())))


def _flipped(value: bytes) -> bytes:
    inside = bytearray(value[:-1])
    inside[-1] ^= 1
    return improv_ble.frame(bytes(inside))


@pytest.mark.parametrize(
    "change", [_in_the_clear, _of_another, _flipped, lambda value: value[:-1], lambda _: b""]
)
def test_a_result_without_the_devices_seal_ends_the_conversation(change: Callable[[bytes], bytes]) -> None:
    twin = Twin()
    client = client_of(twin, "bluetooth")
    client.authorise(CODE)
    twin.change = change
    with pytest.raises(ImprovError):
        client.facts()


def test_after_a_wrong_seal_nothing_more_is_sent() -> None:
    twin = Twin()
    client = client_of(twin, "bluetooth")
    client.authorise(CODE)
    twin.change = _of_another
    with pytest.raises(ImprovError, match="seal"):
        client.facts()
    before = len(twin.heard)
    with pytest.raises(ImprovError, match="not proved"):
        client.join(HOME, HOME_KEY)
    assert len(twin.heard) == before


def test_the_state_joined_alone_is_believed_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anyone in range can send a state."""
    twin = Twin()
    client = client_of(twin, "bluetooth")
    client.authorise(CODE)
    twin.outcome = wifi.JOINING
    twin._events.append((improv.CURRENT_STATE, bytes((improv.PROVISIONED,))))
    monkeypatch.setattr("provisioning.onboarding.improv.JOIN_S", 0.5)
    with pytest.raises(ImprovError, match="does not answer"):
        client.join(HOME, HOME_KEY)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x03",
        b"\x04\x00",
        b"\x03\x01",
        b"\x03\x00\x00",
        b"\x03\x02\x02a",
    ],
)
def test_a_result_of_another_command_or_other_lengths_is_refused(data: bytes) -> None:
    with pytest.raises(ImprovError):
        texts_of(data, improv.GET_INFO)
    assert texts_of(b"\x03\x04\x00\x02ab", improv.GET_INFO) == [b"", b"ab"]


@pytest.mark.parametrize(
    "address", ["http://fb-1.local/", "https://fb-1.example/", "https://fb-1.local/x", "https://a b.local/"]
)
def test_an_address_of_another_form_is_opened_by_nobody(kind: str, address: str) -> None:
    twin = Twin()
    twin.services.address = lambda: address
    client = client_of(twin, kind)
    client.authorise(CODE)
    with pytest.raises(ImprovError, match="address"):
        client.join(HOME, HOME_KEY)


def test_a_command_fits_into_its_length() -> None:
    assert command(improv.GET_INFO) == b"\x03\x00"
    with pytest.raises(ImprovError):
        command(improv.SETTINGS, bytes(256))


# The whole unit ------------------------------------------------------------------------------------------------


@pytest.fixture
def in_the_box(simulated: FactoryUnit) -> Iterator[FactoryUnit]:
    """A unit in factory default with a radio, Bluetooth and a network around it."""
    simulated.fresh()
    machine = simulated.machine
    machine.cut_power()
    give_radio(simulated, "aaaa-bbbb-cccc-dddd").add(HOME.decode(), HOME_KEY.decode())
    machine.bluetooth = SimBluetooth()
    simulated.start()
    yield simulated
    machine.cut_power()
    machine.air = machine.bluetooth = None


def test_a_unit_comes_from_its_box_onto_a_network_over_the_sealed_bluetooth(in_the_box: FactoryUnit) -> None:
    unit = in_the_box
    bluetooth = unit.machine.bluetooth
    unit.wait("bluetooth", lambda: bluetooth.is_open or None)
    client = Client(SealedChannel(bluetooth.connect()))
    client.authorise(unit.world.unit.setup_code)
    unit.wait("a scan", lambda: client.networks() or None)
    assert client.join(HOME, HOME_KEY) == f"https://{client_name(unit)}.local/"
    assert unit.machine.radio.router is not None
    crossed = b"".join(bluetooth.heard)
    assert HOME_KEY not in crossed and unit.world.unit.setup_code.encode() not in crossed


def client_name(unit: FactoryUnit) -> str:
    return str(unit.machine.radio.own_name)


def test_the_command_brings_a_unit_onto_a_network_and_tells_no_secret(in_the_box: FactoryUnit) -> None:
    unit = in_the_box
    code = unit.world.unit.setup_code
    with LinePort(unit.machine.improv_line) as port:
        listed = _wifi(port.address, "--list", "--json", said=f"{code}\n")
        assert [one["name"] for one in json.loads(listed.stdout)["networks"]] == ["Home"]
        wrong = _wifi(port.address, "--network", "Home", said=f"{code}\ncorrect horse 8\n")
        assert wrong.returncode == 1 and "Check its name and passphrase" in " ".join(wrong.stderr.split())
        done = _wifi(port.address, "--network", "Home", "--json", said=f"{code}\n{HOME_KEY.decode()}\n")
        assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["address"] == f"https://{found['device']['name']}.local/" and found["network"] == "Home"
    said = listed.stdout + listed.stderr + wrong.stderr + done.stdout + done.stderr
    assert HOME_KEY.decode() not in said and code not in said.replace("-", "")
    assert unit.machine.radio.router is not None


def test_the_command_reads_the_code_from_a_picture_of_the_label(in_the_box: FactoryUnit) -> None:
    label = in_the_box.world.unit.label_path
    with LinePort(in_the_box.machine.improv_line) as port:
        listed = _wifi(port.address, "--label", str(label), "--list")
    assert listed.returncode == 0 and "Home" in listed.stdout


def test_a_wrong_code_ends_the_command_before_anything_is_asked(in_the_box: FactoryUnit) -> None:
    with LinePort(in_the_box.machine.improv_line) as port:
        refused = _wifi(port.address, "--list", said="2222222-2222222-2222222\n")
    assert refused.returncode != 0 and refused.stdout == ""


def test_a_port_of_no_known_form_is_wrong_input(tmp_path: Path) -> None:
    refused = _wifi("COM3", "--list", said=f"{CODE}\n")
    assert refused.returncode == 2 and "serial:DEVICE" in " ".join(refused.stderr.split())


def _wifi(port: str, *options: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command_line = [sys.executable, "-m", "firstboot", "wifi", "--serial", port, *options]
    return subprocess.run(command_line, input=said, capture_output=True, text=True, check=False)

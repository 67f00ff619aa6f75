"""interfaces.Wifi on network.WLAN, with a fake of it: what the numbers of each chip mean, and a closed access point."""

from __future__ import annotations

import asyncio
import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from device.errors import LinkError
from device.net import wifi

PASSPHRASE = "aaaa-bbbb-cccc-dddd"
HOME = wifi.Network(b"Home", b"correct horse 7", wifi.WPA2)


class Interface:
    """One interface of the fake `network.WLAN`; `calls` is a log of both."""

    def __init__(self, calls: list[tuple[Any, ...]]) -> None:
        self.calls = calls
        self.is_active = False
        self.found: Any = 0
        self.rssi: int | None = None
        self.networks: list[tuple[Any, ...]] = []
        self.reported = 3
        self.fails_on = ""

    def active(self, *value: bool) -> bool:
        if value:
            self.calls.append(("active", value[0]))
            self.is_active = value[0]
        return self.is_active

    def config(self, *names: str, **values: Any) -> Any:
        if names:
            return self.reported
        self.calls.append(("config", values))
        if self.fails_on == "config":
            raise OSError(1)
        return None

    def connect(self, *arguments: Any, **values: Any) -> None:
        self.calls.append(("connect", arguments, values))

    def disconnect(self) -> None:
        self.calls.append(("disconnect",))
        raise OSError("not connected")

    def isconnected(self) -> bool:
        return self.rssi is not None

    def status(self, *what: str) -> Any:
        if what:
            if self.rssi is None:
                raise OSError("no link")
            return self.rssi
        return self.found

    def scan(self) -> list[tuple[Any, ...]]:
        if self.fails_on == "scan":
            raise OSError(5)
        return self.networks

    def ifconfig(self) -> tuple[str, ...]:
        return ("127.0.0.1" if self.is_active else "0.0.0.0",)  # noqa: S104


class Radio:
    """The port of one chip over the fake; `ticks` is its time in ms."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.ticks = 0
        sides = [Interface(self.calls), Interface(self.calls)]
        made: Any = types.ModuleType("network")
        made.STAT_IDLE, made.STAT_CONNECTING, made.STAT_GOT_IP = 1000, 1001, 1010

        class Wlan:
            IF_STA, IF_AP = 0, 1
            SEC_WPA3, SEC_WPA2_WPA3 = 0x01000004, 0x01400004

            def __new__(cls, interface: int) -> Any:
                return sides[interface]

        made.WLAN = Wlan
        monkeypatch.setitem(sys.modules, "network", made)
        monkeypatch.setitem(sys.modules, "tls", types.ModuleType("tls"))
        for module in ("sockets", "access_point", "wlan", name):
            monkeypatch.delitem(sys.modules, f"device.ports.{module}", raising=False)
        port: Any = importlib.import_module(f"device.ports.{name}")
        if name == "esp32_wifi":
            clock = types.SimpleNamespace(
                ticks_ms=lambda: self.ticks, ticks_diff=lambda later, earlier: later - earlier
            )
            monkeypatch.setattr(port, "time", clock)
        self.port = port.Esp32Wifi() if name == "esp32_wifi" else port.Rp2Wifi()
        self.network = port.WlanNetwork(self.port)
        self.link, self.own = sides


@pytest.fixture
def esp32(monkeypatch: pytest.MonkeyPatch) -> Iterator[Radio]:
    yield Radio("esp32_wifi", monkeypatch)
    for name in ("sockets", "access_point", "wlan", "esp32_wifi"):
        sys.modules.pop(f"device.ports.{name}", None)


@pytest.fixture
def rp2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Radio]:
    yield Radio("rp2_wifi", monkeypatch)
    for name in ("sockets", "access_point", "wlan", "rp2_wifi"):
        sys.modules.pop(f"device.ports.{name}", None)


@pytest.fixture(params=["esp32", "rp2"])
def radio(request: pytest.FixtureRequest) -> Radio:
    found: Radio = request.getfixturevalue(request.param)
    return found


# the link -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("number", "state"),
    [
        (1000, wifi.IDLE),
        (1001, wifi.JOINING),
        (1010, wifi.JOINED),
        (15, wifi.PASSPHRASE),
        (202, wifi.PASSPHRASE),
        (204, wifi.PASSPHRASE),
        (201, wifi.NOT_FOUND),
        (210, wifi.SECURITY),
        (211, wifi.SECURITY),
        (39, wifi.FAILED),
    ],
)
def test_each_status_of_an_esp32_has_its_meaning(esp32: Radio, number: int, state: str) -> None:
    esp32.link.found = number
    assert esp32.port.state() == state


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (0, wifi.IDLE),
        (1, wifi.JOINING),
        (2, wifi.ADDRESSING),
        (3, wifi.JOINED),
        (-1, wifi.FAILED),
        (-2, wifi.NOT_FOUND),
        (-3, wifi.PASSPHRASE),
        (-9, wifi.FAILED),
    ],
)
def test_each_status_of_a_cyw43_has_its_meaning(rp2: Radio, number: int, state: str) -> None:
    rp2.link.found = number
    assert rp2.port.state() == state


def test_an_esp32_with_a_signal_and_no_address_waits_for_the_address(esp32: Radio) -> None:
    esp32.link.found, esp32.link.rssi = 1001, -60
    assert esp32.port.state() == wifi.ADDRESSING


def test_the_reason_of_an_earlier_try_is_not_believed_at_once(esp32: Radio) -> None:
    esp32.link.found = 202
    esp32.port.join(HOME)
    assert esp32.port.state() == wifi.JOINING
    esp32.ticks = 7999
    assert esp32.port.state() == wifi.JOINING
    esp32.ticks = 8000
    assert esp32.port.state() == wifi.PASSPHRASE


def test_an_esp32_tells_the_reason_after_a_few_tries_of_its_own(esp32: Radio) -> None:
    esp32.port.switch_on()
    assert ("active", True) in esp32.calls and ("config", {"reconnects": 2}) in esp32.calls


@pytest.mark.parametrize(
    ("kind", "number"),
    [(wifi.WPA2, 0x00400004), (wifi.WPA2_WPA3, 0x01400004), (wifi.WPA3, 0x01000004)],
)
def test_a_cyw43_joins_with_exactly_the_chosen_kind_of_security(rp2: Radio, kind: str, number: int) -> None:
    rp2.port.join(HOME._replace(security=kind))
    assert rp2.calls == [("connect", (b"Home", b"correct horse 7"), {"security": number})]


def test_an_open_network_is_joined_without_a_passphrase(radio: Radio) -> None:
    radio.port.join(wifi.Network(b"Hotel", b"", wifi.OPEN))
    assert radio.calls[-1][1] in ((b"Hotel",), (b"Hotel", None))


def test_the_kinds_of_an_esp32_scan_are_told_apart(esp32: Radio) -> None:
    esp32.link.networks = [(b"n", b"", 1, -50, number, False) for number in range(10)]
    found = [one[1] for one in asyncio.run(esp32.port.scan())]
    assert found == [
        wifi.OPEN, wifi.OLD, wifi.OLD, wifi.WPA2, wifi.WPA2, wifi.ACCOUNTS, wifi.WPA3, wifi.WPA2_WPA3,
        wifi.UNKNOWN, wifi.UNKNOWN,
    ]  # fmt: skip


def test_the_kinds_of_a_cyw43_scan_are_told_apart(rp2: Radio) -> None:
    rp2.link.networks = [(b"n", b"", 1, -50, number, 1) for number in (0, 1, 3, 5, 7)]
    found = [one[1] for one in asyncio.run(rp2.port.scan())]
    assert found == [wifi.OPEN, wifi.OLD, wifi.OLD, wifi.WPA2, wifi.WPA2]


def test_a_failed_scan_is_a_typed_error(radio: Radio) -> None:
    radio.link.fails_on = "scan"
    with pytest.raises(LinkError, match="scan"):
        asyncio.run(radio.port.scan())


def test_leaving_without_a_link_is_no_error(radio: Radio) -> None:
    radio.port.leave()
    assert radio.port.signal_dbm() is None


# the access point -----------------------------------------------------------------------------------------------------
def test_the_access_point_is_protected_before_it_opens(radio: Radio) -> None:
    assert asyncio.run(radio.port.open_access_point("fb-1", PASSPHRASE)) == "127.0.0.1"
    first, second = radio.calls
    assert first[0] == "config" and first[1]["ssid"] == "fb-1" and first[1]["key"] == PASSPHRASE
    assert first[1]["security"] in (3, 0x00400004) and second == ("active", True)


@pytest.mark.parametrize("passphrase", ["", "short", "k" * 64])
def test_no_access_point_opens_without_a_passphrase(radio: Radio, passphrase: str) -> None:
    with pytest.raises(ValueError, match="passphrase"):
        asyncio.run(radio.port.open_access_point("fb-1", passphrase))
    assert radio.calls == []


def test_an_access_point_that_comes_up_open_is_switched_off(radio: Radio) -> None:
    radio.own.reported = 0
    with pytest.raises(LinkError, match="not protected"):
        asyncio.run(radio.port.open_access_point("fb-1", PASSPHRASE))
    assert radio.own.is_active is False


def test_an_access_point_that_cannot_be_configured_stays_closed(radio: Radio) -> None:
    radio.own.fails_on = "config"
    with pytest.raises(LinkError, match="access point"):
        asyncio.run(radio.port.open_access_point("fb-1", PASSPHRASE))
    assert radio.own.is_active is False


def test_both_addresses_are_the_units_own_and_that_of_the_owner_comes_first(radio: Radio) -> None:
    assert radio.network.addresses() == []
    radio.own.is_active = True
    assert radio.network.addresses() == ["127.0.0.1"]
    radio.own.is_active, radio.link.is_active = True, True
    assert len(radio.network.addresses()) == 2


def test_a_question_is_answered_to_the_host_that_asked(radio: Radio) -> None:
    import socket

    async def scenario() -> bytes:
        radio.own.is_active = True
        answers = await radio.port.open_answers(0)
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asker.settimeout(600)
        asker.sendto(b"question", answers._udp.getsockname())
        got = await answers.receive(600_000)
        await answers.send(b"answer", got[1])
        heard = asker.recv(100)
        asker.close()
        answers.close()
        assert got[0] == b"question"
        return heard

    assert asyncio.run(scenario()) == b"answer"

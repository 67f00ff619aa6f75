"""The host's side of the emulated board's radio: what it answers on the line, and which packets it lets pass."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from device.codec.frame import FrameDecoder, encode_frame
from device.net import wifi
from device.ports import radio_line
from provisioning import fair_time
from simulator.ports.air import Air
from simulator.story.radio_model import RadioModel

NAME, KEY = "fb-0a1b2c3d", "aaaa-bbbb-cccc-dddd"
HOME, HOME_KEY = "Home", "correct horse 7"
WAIT_S = 60.0


class Bench:
    """The board's end of the line."""

    def __init__(self) -> None:
        self.air = Air()
        self.model = RadioModel(self.air)
        self._line, theirs = socket.socketpair()
        self._line.settimeout(1)
        self._decoder = FrameDecoder()
        self._heard: list[Any] = []
        self.model.attach(theirs, is_mux=False)

    def send(self, data: bytes) -> None:
        self._line.sendall(data)

    def hear(self, kind: int, number: int, *members: Any) -> list[Any]:
        """Wait for a message of this kind and number whose first members are these."""
        end_s = fair_time.now() + WAIT_S
        wanted = [kind, number, *members]
        while True:
            for found in self._heard:
                if found[: len(wanted)] == wanted:
                    return list(found)
            assert fair_time.now() < end_s, self._heard
            try:
                data = self._line.recv(4096)
            except TimeoutError:
                continue
            self._heard += [radio_line.parse(payload) for payload in self._decoder.feed(data)]

    def open(self) -> None:
        self.send(radio_line.message(radio_line.OPEN, 1, NAME, KEY))
        self.hear(radio_line.DONE, 1, "")

    def join(self, number: int, passphrase: str = HOME_KEY) -> None:
        self.send(radio_line.message(radio_line.JOIN, number, HOME.encode(), passphrase.encode(), wifi.WPA2))

    def close(self) -> None:
        self.model.detach()
        self._line.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def packet(source: int, target: int, protocol: int = 6) -> bytes:
    """Return an IPv4 packet between two ports."""
    head = bytearray(20)
    head[0], head[9] = 0x45, protocol
    return bytes(head) + source.to_bytes(2, "big") + target.to_bytes(2, "big") + bytes(16)


def test_a_scan_lists_the_routers_in_the_air(bench: Bench) -> None:
    bench.air.add(HOME, HOME_KEY, signal_dbm=-61)
    bench.send(radio_line.message(radio_line.SCAN, 7))
    assert bench.hear(radio_line.NETWORKS, 7)[2] == [[HOME.encode(), wifi.WPA2, -61]]


def test_each_change_of_the_link_is_told_with_the_number_of_its_join(bench: Bench) -> None:
    home = bench.air.add(HOME, HOME_KEY)
    bench.join(3, "correct horse 8")
    bench.hear(radio_line.LINK, 3, wifi.PASSPHRASE, None)
    bench.join(4)
    bench.hear(radio_line.LINK, 4, wifi.JOINED, home.signal_dbm)
    home.passphrase = b"another one"
    bench.hear(radio_line.LINK, 4, wifi.PASSPHRASE, None)


def test_an_access_point_opens_with_a_passphrase_only_and_ends_with_the_power(bench: Bench) -> None:
    bench.send(radio_line.message(radio_line.OPEN, 1, NAME, ""))
    bench.hear(radio_line.DONE, 1, "not protected")
    assert bench.air.units == {}
    bench.send(radio_line.message(radio_line.OPEN, 2, NAME, KEY))
    bench.hear(radio_line.DONE, 2, "")
    assert bench.air.phone_joins(NAME, KEY)
    bench.model.detach()
    assert bench.air.units == {}


def test_a_restart_of_the_board_ends_its_link_and_its_access_point(bench: Bench) -> None:
    bench.air.add(HOME, HOME_KEY)
    bench.open()
    bench.join(2)
    bench.hear(radio_line.LINK, 2, wifi.JOINED)
    bench.send(radio_line.message(radio_line.START, 1))
    bench.send(radio_line.message(radio_line.SCAN, 2))
    bench.hear(radio_line.NETWORKS, 2)
    assert bench.air.units == {} and bench.model.radio.router is None


def test_a_message_of_another_shape_is_dropped_and_the_next_one_is_answered(bench: Bench) -> None:
    for payload in (
        b"\xff",
        b"\x80",
        b"\x82\x01",
        b"\x82\x03\x01",
        b"\x84\x05\x01\xf6\xf6",
        b"\x82\x18\x63\x01",
    ):
        bench.send(encode_frame(payload))
    bench.send(b"\xc0no frame\xc0")
    bench.open()


def test_a_phone_reaches_the_units_own_servers_while_the_access_point_is_open(bench: Bench) -> None:
    own = [(True, packet(443, 50000)), (False, packet(50000, 80)), (False, packet(50000, 53, 17))]
    others = [
        (True, packet(50000, 8883)),
        (False, packet(8883, 50000)),
        (True, b""),
        (True, packet(443, 1, 1)),
    ]
    assert not any(bench.model.passes(*one) for one in own + others)
    bench.open()
    assert all(bench.model.passes(*one) for one in own)
    assert not any(bench.model.passes(*one) for one in others)


@pytest.mark.parametrize("is_captive", [False, True])
def test_on_a_network_the_servers_are_reached_unless_it_is_captive(bench: Bench, is_captive: bool) -> None:
    bench.air.add(HOME, HOME_KEY, is_captive=is_captive)
    bench.join(1)
    bench.hear(radio_line.LINK, 1, wifi.JOINED)
    assert bench.model.passes(True, packet(443, 50000))
    assert bench.model.passes(True, packet(50000, 8883)) is not is_captive
    assert bench.model.passes(False, packet(8883, 50000)) is not is_captive

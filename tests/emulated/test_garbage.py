"""Garbage on every serial port of the emulated board, and at its web port: the unit still answers (SE-08)."""

from __future__ import annotations

import random
import secrets
import socket
from collections.abc import Iterator

import pytest

from renode.lines import escape_mux
from simulator.story.runner import wait_until
from simulator.story.world import World
from tests.emulated.worlds import provisioned

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with provisioned(tmp_path_factory.mktemp("garbage")) as made:
        yield made


def noise(seed: int, length: int) -> bytes:
    return random.Random(seed).randbytes(length)


def test_garbage_on_the_factory_port_changes_nothing_and_the_next_hello_is_answered(world: World) -> None:
    port = world.machine.factory_port()
    for seed in range(8):
        port.write(noise(seed, 8000))
        port.write(b"\xc0" + noise(100 + seed, 5000) + b"\xc0")  # a frame that is too long and damaged
    answer = world.factory_link().hello(secrets.token_bytes(16))
    assert set(answer) == {"hello"}


def test_garbage_on_the_console_is_not_answered_and_the_pages_keep_working(world: World) -> None:
    before = world.machine.console.text
    world.machine.console.send(noise(1, 20_000) + b"\x03\x04\x01\x02" * 50)
    assert world.owner.request("GET", "/").status == 200
    assert world.machine.console.text == before


def test_garbage_on_the_network_line_leaves_the_pages_answering(world: World) -> None:
    gateway = world.machine.gateway
    garbage = escape_mux(noise(7, 30_000))  # as a line that drops and adds bytes

    def put() -> None:
        gateway._to_line.extend(garbage)

    gateway._call(put)
    wait_until("the page", lambda: world.owner.request("GET", "/").status == 200 or None, 60)


def test_garbage_at_the_web_port_leaves_the_pages_answering(world: World) -> None:
    for seed in range(4):
        with socket.create_connection(world.machine.web_address, 10) as line:
            line.sendall(noise(seed, 3000))
    assert world.owner.request("GET", "/").status == 200


def test_a_tls_record_of_more_than_4_kib_ends_its_connection_and_the_pages_keep_working(world: World) -> None:
    with pytest.raises(ConnectionError):
        world.owner.request("GET", "/" + "a" * 5000)  # a client sends a head in one record
    assert world.owner.request("GET", "/").status == 200


def test_an_oversized_request_is_refused_and_the_pages_keep_working(world: World) -> None:
    assert world.owner.request("POST", "/setup", {"code": "x" * 3000, "password": "y"}).status == 413
    assert world.owner.request("GET", "/" + "a" * 2000).status in (414, 431, 400)
    assert world.owner.request("GET", "/").status == 200

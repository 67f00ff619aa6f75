"""Clients fill the heap of the emulated board: who asks last is refused, the others are served, nothing restarts."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from device.boards.mps2_an385.board import HEAP_BYTES
from device.limits import HTTP_CLIENTS_PER_PEER, HTTP_HEAD_BYTES, HTTP_LINE_BYTES
from provisioning import fair_time
from simulator.story.runner import wait_until
from simulator.story.world import World
from tests.emulated.worlds import provisioned

pytestmark = pytest.mark.emulated

ANSWERS_S = 60
ATTEMPTS_S = 120
LINE = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
FILLER = b"X-Fill: " + b"x" * (HTTP_LINE_BYTES - 10) + b"\r\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with provisioned(tmp_path_factory.mktemp("full")) as made:
        made.owner.set_up(made.unit.setup_code, made.password)
        wait_until("a status page", made.status, ANSWERS_S)
        yield made


class Client:
    """A TLS client of the pages that sends a head piece by piece."""

    def __init__(self, address: tuple[str, int], stack: ExitStack) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # which certificate it is does not matter here
        plain = stack.enter_context(socket.create_connection(address, ANSWERS_S))
        self.line = stack.enter_context(context.wrap_socket(plain))
        self.line.settimeout(fair_time.SLICE_S)

    def send(self, data: bytes) -> None:
        """Send; a client that was refused meanwhile sends nothing."""
        try:
            self.line.sendall(data)
        except OSError:
            pass

    def status(self) -> int:
        """Return the HTTP status of the answer, 0 if the unit closed the connection without one."""
        try:
            answer = fair_time.patiently(lambda: self.line.recv(64), ANSWERS_S)
        except (ConnectionError, ssl.SSLError):
            return 0
        return int(answer.split(b" ")[1]) if answer else 0


def fill(world: World) -> tuple[int, list[int]]:
    """Return the status of a client that waits while others fill the heap, and those of the others."""
    with ExitStack() as stack:
        waiting = Client(world.machine.web_address, stack)
        waiting.send(LINE + FILLER)
        others = [Client(world.machine.web_address, stack) for _ in range(HTTP_CLIENTS_PER_PEER - 1)]
        for other in others:
            other.send(LINE)
        for _ in range(HTTP_HEAD_BYTES // len(FILLER)):
            for other in others:
                other.send(FILLER)
        found = [other.status() for other in others]
        waiting.send(b"\r\n")
        return waiting.status(), found


def test_a_client_without_memory_reads_503_and_the_one_that_waits_is_served(world: World) -> None:
    starts = world.machine.console.text.count("firmware: version")

    def attempt() -> tuple[int, list[int]] | None:
        served, refused = fill(world)
        return (served, refused) if 503 in refused and served == 200 else None

    served, refused = wait_until("a refusal for lack of memory", attempt, ATTEMPTS_S)
    assert served == 200 and 503 in refused
    assert world.status()["memory"]["heap_bytes"] == HEAP_BYTES
    assert world.machine.console.text.count("firmware: version") == starts

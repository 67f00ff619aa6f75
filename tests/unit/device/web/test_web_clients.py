"""Several clients at once, some slow, stuck or hostile: the others are served, and no client keeps a place for long."""

from __future__ import annotations

import asyncio

import pytest
from memory_unit import PASSWORD, MemoryUnit
from test_web import Facade

from device.limits import HTTP_CLIENTS
from device.owner import lifecycle
from device.web import server
from device.web.app import create_app
from device.web.server import create_handler
from simulator import virtual
from tests.unit.device.web.web_fake import FakeDevice

GET = b"GET / HTTP/1.1\r\nHost: device.local\r\n\r\n"
TIMEOUT_S = 0.3  # replaces limits.HTTP_READ_TIMEOUT_S
LONG_S = 30  # far longer: a test that waits for it fails


class Client:
    """A stream whose client sends `parts`, one every `pause_s`, and then sends nothing more."""

    def __init__(self, *parts: bytes, pause_s: float = 0.0, takes_answers: bool = True) -> None:
        self.parts = list(parts)
        self.pause_s = pause_s
        self.takes_answers = takes_answers
        self.written = b""
        self.closed = asyncio.Event()

    async def read(self, limit: int) -> bytes:
        if not self.parts:
            await asyncio.sleep(LONG_S)
        await asyncio.sleep(self.pause_s)
        part = self.parts.pop(0)
        if len(part) > limit:  # the rest comes with the next read
            self.parts.insert(0, part[limit:])
        return part[:limit]

    async def readexactly(self, length: int) -> bytes:
        raise NotImplementedError

    async def write(self, data: bytes) -> None:
        if not self.takes_answers:
            await asyncio.sleep(LONG_S)
        self.written += data

    async def close(self) -> None:
        self.closed.set()

    @property
    def status(self) -> int:
        return int(self.written.split(b" ", 2)[1]) if self.written else 0


def serve(*clients: Client) -> list[int]:
    """Serve all at the same time, to the end; return the order in which they ended."""
    order: list[int] = []

    async def run() -> None:
        handler = create_handler(create_app(FakeDevice()), TIMEOUT_S)

        async def one(number: int) -> None:
            await handler(clients[number])
            order.append(number)

        begun_s = asyncio.get_running_loop().time()
        await asyncio.gather(*[one(n) for n in range(len(clients))])
        assert asyncio.get_running_loop().time() - begun_s < LONG_S

    virtual.run(run())
    return order


def test_as_many_clients_as_there_are_places_are_served_at_once() -> None:
    clients = [Client(GET[:10], GET[10:], pause_s=0.01) for _ in range(HTTP_CLIENTS)]
    serve(*clients)
    assert [client.status for client in clients] == [200] * HTTP_CLIENTS


def test_silent_clients_keep_no_other_waiting_and_get_an_answer_and_are_closed() -> None:
    silent = [Client(), Client(GET[:20]), Client(GET[:-2])]
    order = serve(*silent, Client(GET))
    assert order[0] == 3
    assert [client.status for client in silent] == [408] * 3
    assert all(client.closed.is_set() for client in silent)


def test_a_client_that_drips_is_bounded_by_one_deadline_for_the_whole_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_DRAIN_S", TIMEOUT_S / 10)
    drip = Client(*[GET[at : at + 1] for at in range(len(GET))], pause_s=TIMEOUT_S / 10)
    assert serve(drip, Client(GET)) == [1, 0]
    assert drip.status == 408 and len(drip.parts) > len(GET) // 2


def test_a_client_that_announces_a_body_and_sends_none_is_bounded_too() -> None:
    head = b"POST /setup HTTP/1.1\r\nHost: device.local\r\nContent-Length: 100\r\n\r\n"
    client = Client(head, b"code=")
    serve(client)
    assert client.status == 408


def test_a_client_that_does_not_take_its_answer_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HTTP_WRITE_TIMEOUT_S", TIMEOUT_S)
    client = Client(GET, takes_answers=False)
    assert serve(client, Client(GET)) == [1, 0]
    assert client.closed.is_set()


def test_a_client_that_drips_after_its_refusal_is_bounded_by_one_deadline_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_DRAIN_S", TIMEOUT_S)
    client = Client(b"BREW / HTTP/1.1\r\nHost: device.local\r\n\r\n", *[b"x"] * 50, pause_s=TIMEOUT_S / 5)
    serve(client)
    assert client.status == 404 and len(client.parts) > 40


def test_a_client_that_keeps_sending_after_its_refusal_is_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_DRAIN_S", 0.05)
    client = Client(b"GET /" + b"a" * 1019, b"a" * 1024, *[b"a" * 1024] * 100)
    serve(client)
    assert client.status == 414 and client.closed.is_set()
    assert len(client.parts) > 50  # discarded bytes are limited, too


def test_other_pages_are_served_while_a_password_is_hashed() -> None:
    unit = MemoryUnit()
    unit.set_up()
    form = ("password=" + PASSWORD.replace(" ", "+")).encode()
    head = b"POST /login HTTP/1.1\r\nHost: lamp.local\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    sign_in = Client(head + b"Content-Length: %d\r\n\r\n" % len(form) + form)
    page = Client(GET.replace(b"device.local", b"lamp.local"))
    order: list[str] = []

    async def run() -> None:
        handler = create_handler(create_app(Facade(unit)), TIMEOUT_S)

        async def one(client: Client, name: str) -> None:
            await handler(client)
            order.append(name)

        await asyncio.gather(one(sign_in, "sign-in"), one(page, "page"))

    virtual.run(run())
    assert order == ["page", "sign-in"]
    assert (page.status, sign_in.status) == (200, 303)
    assert unit.state() == lifecycle.INITIALISED


@pytest.mark.parametrize(
    ("client", "is_wiped"),
    [
        (Client(GET), False),
        (
            Client(
                b"POST /login HTTP/1.1\r\nHost: device.local\r\nContent-Length: 10\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n\r\n",
                b"password=x",
            ),
            True,
        ),
        (Client(b"POST /login HTTP/1.1\r\nHost: device.local\r\nContent-Length: 10\r\n\r\npass"), True),
        (Client(b"nonsense\r\n\r\n"), True),
    ],
    ids=["a page", "a form", "half a form", "no request"],
)
def test_pw_13_memory_is_freed_after_everything_that_may_have_held_a_password(
    client: Client, is_wiped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is freed after the connection is closed, because its buffers have the received bytes until then."""
    seen: list[bool] = []
    monkeypatch.setattr(server, "forget", lambda: seen.append(client.closed.is_set()))
    serve(client)
    assert seen == ([True] if is_wiped else [])

"""Places for clients in the chips' port (device/ports/sockets.py), without MicroPython's own modules."""

from __future__ import annotations

import asyncio
import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from device.limits import HTTP_CLIENTS, HTTP_CLIENTS_PER_PEER

OWNER, STRANGER, OTHER = "192.0.2.1", "192.0.2.2", "192.0.2.3"


class Raw:
    """A client's socket. `written` is the unit's answer."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.is_closed = False
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()
        self.written = b""
        self.s = self

    def get_extra_info(self, name: str) -> tuple[str, int]:
        assert name == "peername"
        return (self.peer, 50000)

    async def read(self, limit: int) -> bytes:
        if not limit:  # ends as soon as there is something to read, without reading it
            while self.sent.empty():
                await asyncio.sleep(0)
            return b""
        return await self.sent.get()

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None: ...

    async def wait_closed(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True


class Port:
    """The port's listener, and the TLS contexts that it created for clients."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tls = ModuleType("tls")
        self.secured: list[Raw] = []
        context = SimpleNamespace(load_cert_chain=lambda *_: None, wrap_socket=self._wrap)
        vars(tls).update(PROTOCOL_TLS_SERVER=1, SSLContext=lambda _protocol: context)
        monkeypatch.setitem(sys.modules, "tls", tls)
        monkeypatch.delitem(sys.modules, "device.ports.sockets", raising=False)
        self.sockets = importlib.import_module("device.ports.sockets")
        names = {
            name: getattr(asyncio, name)
            for name in ("create_task", "current_task", "sleep", "TimeoutError", "wait_for")
        }
        fake = SimpleNamespace(**names, start_server=self._start, StreamReader=lambda secured: secured)
        monkeypatch.setattr(self.sockets, "asyncio", fake)

    def _wrap(self, raw: Raw, **_: object) -> Raw:
        self.secured.append(raw)
        return raw

    async def _start(self, serve: Any, *_: object) -> object:
        self._serve = serve
        return self

    async def wait_closed(self) -> None:
        """The listener never ends by itself."""
        await asyncio.Event().wait()

    async def open(self, handler: Any) -> None:
        self.network = self.sockets.SocketNetwork()
        await self.network.serve_tls(443, b"", b"", handler)

    async def connect(self, peer: str, *sent: bytes) -> Raw:
        """Connect a client and let the unit handle it up to the point where it waits for more bytes than `sent`."""
        raw = Raw(peer)
        for part in sent:
            raw.sent.put_nowait(part)
        asyncio.ensure_future(self._serve(raw, raw))  # noqa: RUF006  it ends with its client
        await settle()
        return raw


async def settle() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


async def answer(stream: Any) -> None:
    """Act as the pages do: wait for the whole request, answer, close."""
    line = await stream.read(100)
    while not line.endswith(b"\n"):
        line += await stream.read(100)
    stream.is_waiting = False
    await stream.write(b"seen")
    await stream.close()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Port:
    yield Port(monkeypatch)
    sys.modules.pop("device.ports.sockets", None)


async def is_served(port: Port, peer: str) -> bool:
    client = await port.connect(peer)
    client.sent.put_nowait(b"GET\n")
    await settle()
    assert client.is_closed
    return client.written == b"seen"


@pytest.mark.parametrize("attacker", [STRANGER, OWNER], ids=["another host", "the same host"])
def test_the_owner_is_served_beside_50_silent_and_50_dripping_connections(port: Port, attacker: str) -> None:
    async def run() -> None:
        await port.open(answer)
        silent = [await port.connect(attacker) for _ in range(50)]
        assert await is_served(port, OWNER)
        for _ in range(50):
            (await port.connect(attacker)).sent.put_nowait(b"x")
        assert await is_served(port, OWNER)
        assert all(client.is_closed for client in silent)

    asyncio.run(run())


def test_the_owner_is_served_beside_50_connections_of_50_addresses(port: Port) -> None:
    async def run() -> None:
        await port.open(answer)
        for number in range(50):
            await port.connect(f"192.0.3.{number}")
        assert await is_served(port, OWNER)
        for number in range(50):
            await port.connect(f"192.0.4.{number}", b"x")
        assert await is_served(port, OWNER)

    asyncio.run(run())


def test_a_silent_client_takes_no_tls_memory(port: Port) -> None:
    async def run() -> None:
        await port.open(answer)
        silent = await port.connect(STRANGER)
        assert port.secured == []
        silent.sent.put_nowait(b"x")
        await settle()
        assert port.secured == [silent]

    asyncio.run(run())


def test_a_client_that_stays_silent_is_closed(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port.sockets, "HTTP_SILENCE_S", 0)

    async def run() -> None:
        await port.open(answer)
        assert (await port.connect(STRANGER)).is_closed

    asyncio.run(run())


def test_there_are_never_more_clients_than_places_and_a_share_of_them_for_each_host(port: Port) -> None:
    async def run() -> None:
        await port.open(answer)
        clients = []
        for number in range(60):
            clients.append(await port.connect((STRANGER, OTHER, OWNER)[number % 3]))
            standing = [client.peer for client in clients if not client.is_closed]
            assert len(standing) <= HTTP_CLIENTS
            assert max(map(standing.count, standing)) <= HTTP_CLIENTS_PER_PEER

    asyncio.run(run())


def test_a_client_without_a_place_takes_no_tls_memory(port: Port) -> None:
    async def run() -> None:
        async def slow(stream: Any) -> None:
            stream.is_waiting = False
            await asyncio.Event().wait()  # its answer takes long

        await port.open(slow)
        inside = [await port.connect(STRANGER, b"x") for _ in range(HTTP_CLIENTS_PER_PEER)]
        outside = await port.connect(STRANGER)
        assert outside.is_closed and port.secured == inside

    asyncio.run(run())


def test_before_a_restart_every_client_is_closed(port: Port) -> None:
    async def run() -> None:
        await port.open(answer)
        clients = [await port.connect(OWNER, b"x"), await port.connect(STRANGER)]
        port.network.hang_up()
        await settle()
        assert all(client.is_closed for client in clients)

    asyncio.run(run())

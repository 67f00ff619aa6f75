"""The contract of streams and datagrams in device.interfaces, tested with TLS, UDP and the serial pipe."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from device.errors import CertificateError, LinkError
from device.limits import HTTP_CLIENTS_PER_PEER
from device.ports import host
from device.ports.host import HostNetwork, HostStream, ServedHostStream
from provisioning.keys.pki import CertificateAuthority
from simulator.ports.serial import SerialPipe


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority.create("test authority")


async def _echo(stream: HostStream) -> None:
    while data := await stream.read(100):
        await stream.write(data)


def _network(time_s: int | None = None) -> HostNetwork:
    return HostNetwork(lambda: time_s, listen_on=("127.0.0.1", 0), addresses={"10.0.2.2": "127.0.0.1"})


def _with_server(
    authority: CertificateAuthority,
    client: Callable[[HostNetwork, int], Awaitable[Any]],
    handler: Callable[[ServedHostStream], Awaitable[None]] = _echo,
    time_s: int | None = None,
) -> Any:
    """Run `client(network, port)` against a TLS server for the name srv.test."""

    async def run() -> Any:
        network = _network(time_s)
        issued = authority.issue_server("srv.test", ["srv.test"])
        server = await network.serve_tls(443, issued.certificate_der, issued.private_key_der, handler)
        try:
            return await client(network, server.port)
        finally:
            await server.close()

    return asyncio.run(run())


def _dial(
    authority: CertificateAuthority, name: str = "srv.test"
) -> Callable[[HostNetwork, int], Awaitable[HostStream]]:
    async def dial(network: HostNetwork, port: int) -> HostStream:
        own = authority.issue_client("unit")
        return await network.open_tls(
            "10.0.2.2", port, name, authority.certificate_der, own.certificate_der, own.private_key_der
        )

    return dial


def test_a_tls_stream_carries_bytes_both_ways(authority: CertificateAuthority) -> None:
    async def client(network: HostNetwork, port: int) -> bytes:
        stream = await _dial(authority)(network, port)
        await stream.write(b"x" * 250)
        data = await stream.readexactly(250)
        await stream.close()
        return data

    assert _with_server(authority, client) == b"x" * 250


def test_a_peer_that_never_answers_the_end_of_tls_leaves_no_failed_task(
    authority: CertificateAuthority,
) -> None:
    """As a link so slow that the answer comes after the limit: the handler closes, and so does the server."""
    failures: list[dict[str, Any]] = []

    async def close(stream: HostStream) -> None:
        await stream.close()

    def shake_hands(port: int) -> ssl.SSLSocket:
        context = ssl.create_default_context(cadata=authority.certificate_der)
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="srv.test")

    async def client(network: HostNetwork, port: int) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context))
        before = asyncio.all_tasks()
        with await asyncio.to_thread(shake_hands, port):
            while served := asyncio.all_tasks() - before:
                await asyncio.wait(served)

    _with_server(authority, client, close)
    assert failures == []


def test_the_end_of_a_stream_is_an_empty_read_and_an_error_for_an_exact_one(
    authority: CertificateAuthority,
) -> None:
    async def hang_up(stream: HostStream) -> None:
        await stream.write(b"bye")

    async def client(network: HostNetwork, port: int) -> bytes:
        stream = await _dial(authority)(network, port)
        assert await stream.readexactly(3) == b"bye"
        end = await stream.read(10)
        with pytest.raises(LinkError):
            await stream.readexactly(1)
        await stream.close()
        return end

    assert _with_server(authority, client, hang_up) == b""


def test_a_server_with_another_name_is_refused(authority: CertificateAuthority) -> None:
    with pytest.raises(CertificateError, match="Hostname"):
        _with_server(authority, _dial(authority, "other.test"))


def test_a_server_of_another_authority_is_refused(authority: CertificateAuthority) -> None:
    with pytest.raises(CertificateError, match="issuer"):
        _with_server(CertificateAuthority.create("test authority"), _dial(authority))


def test_a_client_certificate_does_not_pass_for_a_server(authority: CertificateAuthority) -> None:
    async def run() -> None:
        network = _network()
        issued = authority.issue_client("srv.test")
        server = await network.serve_tls(443, issued.certificate_der, issued.private_key_der, _echo)
        try:
            await _dial(authority)(network, server.port)
        finally:
            await server.close()

    with pytest.raises(LinkError):
        asyncio.run(run())


@pytest.mark.parametrize(("time_s", "words"), [(1_000_000, "not yet valid"), (4_000_000_000, "expired")])
def test_with_trusted_time_the_dates_are_checked(
    authority: CertificateAuthority, time_s: int, words: str
) -> None:
    with pytest.raises(CertificateError, match=words):
        _with_server(authority, _dial(authority), time_s=time_s)


def test_a_client_learns_at_once_that_the_unit_hangs_up_all(authority: CertificateAuthority) -> None:
    async def client(network: HostNetwork, port: int) -> bytes:
        stream = await _dial(authority)(network, port)
        await stream.write(b"x")
        assert await stream.readexactly(1) == b"x"
        network.hang_up()
        return await stream.read(1)

    assert _with_server(authority, client) == b""


def test_a_closed_port_is_a_link_error(authority: CertificateAuthority) -> None:
    async def client(network: HostNetwork, port: int) -> int:
        return port

    port = _with_server(authority, client)
    with pytest.raises(LinkError):
        asyncio.run(_dial(authority)(_network(), port))


def test_a_client_beyond_the_bound_is_closed_and_the_others_are_served(
    authority: CertificateAuthority,
) -> None:
    async def echo_and_answer(stream: ServedHostStream) -> None:
        while data := await stream.read(100):
            stream.is_waiting = False
            await stream.write(data)

    async def client(network: HostNetwork, port: int) -> bytes:
        inside = [await _dial(authority)(network, port) for _ in range(HTTP_CLIENTS_PER_PEER)]
        for stream in inside:  # each is being answered, not only connected
            await stream.write(b"a")
            assert await stream.readexactly(1) == b"a"
        with pytest.raises(LinkError):
            await _dial(authority)(network, port)
        for stream in inside:
            await stream.write(b"b")
            assert await stream.readexactly(1) == b"b"
            await stream.close()
        return b""

    assert _with_server(authority, client, echo_and_answer) == b""


async def _answer_one(stream: ServedHostStream) -> None:
    """Wait for a whole line, as the pages wait for a whole request, and answer it."""
    line = b""
    while not line.endswith(b"\n"):
        part = await stream.read(100)
        if not part:
            return
        line += part
    stream.is_waiting = False
    await stream.write(line.upper())


async def _ask(authority: CertificateAuthority, network: HostNetwork, port: int) -> bytes:
    stream = await _dial(authority)(network, port)
    await stream.write(b"owner\n")
    answer = await stream.readexactly(6)
    await stream.close()
    return answer


def test_the_owner_is_served_while_50_silent_and_50_dripping_connections_of_the_same_host_stand(
    authority: CertificateAuthority,
) -> None:
    async def client(network: HostNetwork, port: int) -> list[bytes]:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        answers = [await _ask(authority, network, port)]
        dripping = []
        for _ in range(50):
            stream = await _dial(authority)(network, port)
            await stream.write(b"d")
            dripping.append(stream)
        answers += [await _ask(authority, network, port) for _ in range(3)]
        for _, writer in silent:
            writer.close()
        for stream in dripping:
            await stream.close()
        return answers

    assert _with_server(authority, client, _answer_one) == [b"OWNER\n"] * 4


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"], ids=["silent", "handshake begun"])
def test_the_owner_is_served_although_50_connections_of_50_addresses_come_back(
    authority: CertificateAuthority, sent: bytes
) -> None:
    async def attack(port: int, address: str) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
                writer.write(sent)
                await reader.read(100)  # until the unit hangs up
                writer.close()

    async def client(network: HostNetwork, port: int) -> list[bytes]:
        attacks = [asyncio.ensure_future(attack(port, f"127.0.1.{at}")) for at in range(1, 51)]
        await asyncio.sleep(0.2)
        answers = []
        while len(answers) < 3:
            with contextlib.suppress(LinkError):  # a browser asks again
                answers.append(await _ask(authority, network, port))
        for one in attacks:
            one.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)
        return answers

    assert _with_server(authority, client, _answer_one) == [b"OWNER\n"] * 3


def test_a_client_that_says_nothing_is_closed(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "HTTP_SILENCE_S", 0.05)

    async def client(network: HostNetwork, port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        data = await reader.read(10)
        writer.close()
        return data

    assert _with_server(authority, client) == b""


def test_connections_of_another_host_do_not_keep_the_owner_out_although_they_come_back(
    authority: CertificateAuthority,
) -> None:
    async def attack(port: int, address: str) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
                await reader.read(1)  # until the unit hangs up
                writer.close()

    async def client(network: HostNetwork, port: int) -> list[bytes]:
        attacks = [asyncio.ensure_future(attack(port, "127.0.0.2")) for _ in range(20)]
        await asyncio.sleep(0.1)
        answers = [await _ask(authority, network, port) for _ in range(5)]
        for one in attacks:
            one.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)
        return answers

    assert _with_server(authority, client, _answer_one) == [b"OWNER\n"] * 5


def test_a_datagram_arrives_or_the_wait_ends() -> None:
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data, addr)

    async def run() -> tuple[bytes | None, bytes | None]:
        loop = asyncio.get_running_loop()
        peer, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        datagram = await _network().open_udp("10.0.2.2", peer.get_extra_info("sockname")[1])
        await datagram.send(b"ping")
        found = await datagram.receive(5000)
        silence = await datagram.receive(10)
        datagram.close()
        with pytest.raises(LinkError):
            await datagram.send(b"late")
        peer.close()
        return found, silence

    assert asyncio.run(run()) == (b"ping", None)


def test_a_serial_line_carries_bytes_both_ways() -> None:
    async def run() -> None:
        pipe = SerialPipe()
        unit = await pipe.open_unit()
        pipe.station.write(b"to the unit")
        assert await unit.readexactly(11) == b"to the unit"
        await unit.write(b"back")
        assert await asyncio.to_thread(pipe.station.read, 5) == b"back"
        assert await asyncio.to_thread(pipe.station.read, 0.01) == b""
        await unit.close()
        pipe.close()

    asyncio.run(run())


def test_a_serial_line_stays_up_while_the_unit_restarts() -> None:
    async def run() -> None:
        pipe = SerialPipe()
        await (await pipe.open_unit()).close()
        again = await pipe.open_unit()
        pipe.station.write(b"hello")
        assert await again.readexactly(5) == b"hello"
        await again.close()
        pipe.close()

    asyncio.run(run())


def test_a_closed_serial_line_is_a_link_error() -> None:
    pipe = SerialPipe()
    pipe.close()
    with pytest.raises(LinkError):
        pipe.station.read(5)
    with pytest.raises(LinkError):
        pipe.station.write(b"x")


def test_noise_on_a_serial_line_reaches_both_ends() -> None:
    async def run() -> None:
        pipe = SerialPipe(noise=lambda data: data.replace(b"a", b"?"))
        unit = await pipe.open_unit()
        pipe.station.write(b"banana")
        assert await unit.readexactly(6) == b"b?n?n?"
        await unit.write(b"papaya")
        assert await asyncio.to_thread(pipe.station.read, 5) == b"p?p?y?"
        await unit.close()
        pipe.close()

    asyncio.run(run())

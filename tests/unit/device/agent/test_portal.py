"""The servers inside the access point: a phone is led to the pages, and nothing else is answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import pytest

from device.agent.portal import Portal
from device.limits import PORTAL_CLIENTS
from device.web import landing
from simulator.ports.air import Air
from simulator.ports.clock import SimClock
from simulator.ports.radio import ADDRESS, SimWifi

PROBES = (  # what phones and computers ask when they join
    ("connectivitycheck.gstatic.com", "/generate_204"),
    ("captive.apple.com", "/hotspot-detect.html"),
    ("www.msftconnecttest.com", "/connecttest.txt"),
    ("detectportal.firefox.com", "/canonical.html"),
    ("nmcheck.gnome.org", "/check_network_status.txt"),
)
QUESTION = bytes.fromhex("123401000001000000000000026662056c6f63616c0000010001")


class Open:
    """An open portal on loopback."""

    def __init__(self, radio: SimWifi, portal: Portal) -> None:
        self.radio, self.portal = radio, portal

    async def ask(self, data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(ADDRESS, self.radio.page_port)
        writer.write(data)
        await writer.drain()
        found = await asyncio.wait_for(reader.read(), 600)
        writer.close()
        return found

    async def get(self, host: str, path: str, method: str = "GET") -> bytes:
        return await self.ask(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    async def question(self, data: bytes, seconds: float = 600) -> bytes | None:
        """Return the answer to a datagram, None after so long."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.setblocking(False)
            await loop.sock_sendto(asker, data, (ADDRESS, self.radio.answers_port))
            try:
                return await asyncio.wait_for(loop.sock_recv(asker, 1000), seconds)
            except TimeoutError:
                return None


def run(scenario: Callable[[Open], Awaitable[None]]) -> None:
    async def main() -> None:
        radio = SimWifi(Air(), SimClock())
        portal = Portal(lambda: 'Lamp "<One>', lambda text: None)
        await portal.open(radio, ADDRESS)
        try:
            await scenario(Open(radio, portal))
        finally:
            await portal.close()

    asyncio.run(main())


@pytest.mark.parametrize(("host", "path"), PROBES)
def test_every_probe_is_redirected_to_the_page(host: str, path: str) -> None:
    async def scenario(phone: Open) -> None:
        answer = await phone.get(host, path)
        assert answer.startswith(b"HTTP/1.1 302 Found\r\n")
        assert f"Location: http://{ADDRESS}/\r\n".encode() in answer

    run(scenario)


def test_the_page_leads_to_the_pages_over_https_and_takes_nothing() -> None:
    async def scenario(phone: Open) -> None:
        text = (await phone.get(ADDRESS, "/")).decode()
        assert text.startswith("HTTP/1.1 200 OK") and f'href="https://{ADDRESS}/"' in text
        assert "<form" not in text and "<input" not in text and "<script" not in text
        assert "Lamp &quot;&lt;One&gt;" in text

    run(scenario)


def test_head_gets_the_head_alone() -> None:
    async def scenario(phone: Open) -> None:
        answer = await phone.get(ADDRESS, "/", "HEAD")
        assert answer.endswith(b"\r\n\r\n") and b"Content-Length: 0" not in answer

    run(scenario)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\ncode", b"405"),
        (b"DELETE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404"),
        (b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 3000, b"414"),
    ],
)
def test_what_is_no_plain_question_gets_its_status_and_no_page(request_bytes: bytes, status: bytes) -> None:
    async def scenario(phone: Open) -> None:
        answer = await phone.ask(request_bytes)
        assert answer.split(b" ")[1] == status and b"<html" not in answer

    run(scenario)


def test_silent_and_dripping_clients_keep_nobody_out_and_are_closed() -> None:
    async def scenario(phone: Open) -> None:
        slow = [await asyncio.open_connection(ADDRESS, phone.radio.page_port) for _ in range(20)]
        for _, writer in slow[::2]:
            writer.write(b"GET / HT")
            await writer.drain()
        assert b"200 OK" in await phone.get(ADDRESS, "/")
        for reader, writer in slow[: 1 - PORTAL_CLIENTS]:
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 600) == b""
            writer.close()

    run(scenario)


def test_a_host_that_connects_again_and_again_cuts_off_nobody_else() -> None:
    async def scenario(phone: Open) -> None:
        reader, writer = await asyncio.open_connection(ADDRESS, phone.radio.page_port)
        writer.write(b"GET / HTTP/1.1\r\n")
        await writer.drain()
        hostile = []
        for _ in range(3 * PORTAL_CLIENTS):
            hostile.append(
                await asyncio.open_connection(ADDRESS, phone.radio.page_port, local_addr=("127.0.0.2", 0))
            )
        assert await asyncio.wait_for(hostile[0][0].read(), 600) == b"", "its own oldest one gave way"
        writer.write(f"Host: {ADDRESS}\r\n\r\n".encode())
        assert (await asyncio.wait_for(reader.read(), 600)).startswith(b"HTTP/1.1 200 OK")
        for _, each in [*hostile, (reader, writer)]:
            each.close()

    run(scenario)


def test_every_name_is_the_unit_and_nonsense_gets_no_answer() -> None:
    async def scenario(phone: Open) -> None:
        answer = await phone.question(QUESTION)
        assert answer is not None and answer[-4:] == socket.inet_aton(ADDRESS)
        assert await phone.question(b"nonsense", 0.5) is None
        assert await phone.question(QUESTION) == answer

    run(scenario)


def test_nothing_answers_after_the_end() -> None:
    async def scenario(phone: Open) -> None:
        await phone.portal.close()
        assert await phone.question(QUESTION, 0.5) is None
        with pytest.raises(ConnectionError):
            await phone.get(ADDRESS, "/")

    run(scenario)


def test_the_page_fits_into_what_a_small_heap_bears() -> None:
    assert len(landing._page("192.168.4.1", "M" * 128)) < 2500

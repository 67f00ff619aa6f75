"""The two servers inside a unit's own access point: open_answers and serve_page of interfaces.Wifi, on MicroPython.

They listen on the access point's address only. The chips' radio (wlan.py) and the emulated board's model of one
(mps2_radio.py) use this module. NOT YET RUN ON A CHIP.
"""

import asyncio
import socket

from device.compat import const
from device.errors import LinkError
from device.limits import DNS_PACKET_BYTES
from device.ports.sockets import SocketStream, peer_of

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable

    from device.interfaces import Stream

_POLL_MS = const(50)  # of the DNS socket: a phone waits for seconds, and the access point is open for minutes


class AnswerSocket:
    """interfaces.Group over a plain UDP socket: the source of each datagram is known, and an answer goes to it."""

    def __init__(self, udp: "Any") -> None:
        self._udp = udp

    async def send(self, data: bytes, to: object) -> None:
        """Send one datagram to a source that receive() returned. Raises LinkError."""
        try:
            self._udp.sendto(data, to)
        except OSError as error:
            raise LinkError(reason="answers: {}".format(error)) from None

    async def receive(self, timeout_ms: int) -> "tuple[bytes, Any] | None":
        """Return one datagram and its source, None after `timeout_ms`. A longer one than allowed is cut."""
        for _ in range(max(1, timeout_ms // _POLL_MS)):
            try:
                found: "tuple[bytes, Any]" = self._udp.recvfrom(DNS_PACKET_BYTES + 1)
                return found
            except OSError:  # nothing has arrived
                await asyncio.sleep(_POLL_MS / 1000)
        return None

    def close(self) -> None:
        """Close the socket."""
        self._udp.close()


class PageServer:
    """The result of serve_page."""

    def __init__(self, server: "Any") -> None:
        self._server = server

    async def close(self) -> None:
        """Stop listening."""
        self._server.close()


def open_answers(own_address: "Callable[[], str]", port: int) -> AnswerSocket:
    """Return a UDP socket on the address. `own_address` may raise OSError. Raises LinkError."""
    udp: "Any" = None
    try:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(socket.getaddrinfo(own_address(), port)[0][-1])
        udp.setblocking(False)
    except OSError as error:
        if udp is not None:
            udp.close()
        raise LinkError(reason="answers: {}".format(error)) from None
    return AnswerSocket(udp)


async def serve_page(
    own_address: "Callable[[], str]", port: int, handler: "Callable[[Stream, object], Awaitable[None]]"
) -> PageServer:
    """Listen without TLS on the address. The handler bounds its clients. Raises LinkError."""

    async def serve(reader: "Any", writer: "Any") -> None:
        stream = SocketStream(reader)
        try:
            await handler(stream, peer_of(writer))
        finally:
            await stream.close()

    try:
        return PageServer(await asyncio.start_server(serve, own_address(), port))
    except OSError as error:
        raise LinkError(reason="page: {}".format(error)) from None

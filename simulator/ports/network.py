"""A network inside the process: links with a virtual round trip, rate and loss between a device and memory peers.

`MemoryNetwork` implements device.interfaces.Network. A peer is any object with `connect(send) -> handler` for
streams or `datagram(data) -> list of answers` for datagrams. There is no TLS: the network's `refuse` hook replaces
the check of a certificate. Under simulator.virtual a transfer takes virtual time only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from device.errors import LinkError
from simulator.ports.queue import ByteQueue

Handler = Callable[[bytes], None]
DATAGRAMS = 32  # kept for a slow receiver, as in the host's port


class StreamPeer(Protocol):
    """A server that speaks a byte stream."""

    def connect(self, send: Handler) -> Handler:
        """Accept a client. Returns the handler of the bytes that it sends; `send` sends bytes to it."""


class DatagramPeer(Protocol):
    """A server that answers datagrams."""

    def datagram(self, data: bytes) -> list[bytes]: ...


@dataclass
class Link:
    """One direction of a wire. `rate` in bytes per virtual second, 0 for no limit.

    `fate(data)` returns the datagrams that arrive for one sent: [] lost, [data] whole, [data, data] doubled. With
    `piece_bytes` a stream arrives in pieces of that size, as TCP segments do; without, it arrives as it was written.
    """

    delay_s: float = 0.0
    rate: float = 0.0
    fate: Callable[[bytes], list[bytes]] = field(default=lambda data: [data])
    piece_bytes: int = 0
    _free_at_s: float = 0.0

    def stream(self, data: bytes, arrive: Handler) -> None:
        """Deliver `data` of a stream, in order."""
        step = self.piece_bytes or len(data) or 1
        for start in range(0, len(data), step):
            self.carry(data[start : start + step], arrive)

    def carry(self, data: bytes, arrive: Handler) -> None:
        """Deliver `data` after the link's delay and transmission time, in order."""
        if not self.delay_s and not self.rate:
            arrive(data)
            return
        loop = asyncio.get_running_loop()
        sent_s = max(loop.time(), self._free_at_s) + (len(data) / self.rate if self.rate else 0.0)
        self._free_at_s = sent_s
        loop.call_at(sent_s + self.delay_s, arrive, data)


class MemoryStream:
    """The device's end of a stream; implements device.interfaces.Stream."""

    def __init__(self, network: MemoryNetwork, peer: StreamPeer) -> None:
        self._network = network
        self._arriving = ByteQueue()
        self.read = self._arriving.read
        self.readexactly = self._arriving.readexactly
        self._handler = peer.connect(lambda data: network.down.stream(data, self._arriving.put))

    def drop(self) -> None:
        """End the connection: the reader gets what arrived, then the end."""
        self._arriving.end()

    async def write(self, data: bytes) -> None:
        """Send. Raises LinkError after the connection ended."""
        if self._arriving.is_ended:
            raise LinkError(reason="write: closed")
        self._network.up.stream(bytes(data), self._deliver)

    def _deliver(self, data: bytes) -> None:
        if not self._arriving.is_ended:
            self._handler(data)

    async def close(self) -> None:
        """Close; bytes on the way are lost."""
        self.drop()


class MemoryDatagram:
    """The device's UDP socket; implements device.interfaces.Datagram."""

    def __init__(self, network: MemoryNetwork, peer: DatagramPeer) -> None:
        self._network = network
        self._peer = peer
        self._arrived: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._is_closed = False

    async def send(self, data: bytes) -> None:
        """Send one datagram. Raises LinkError after close()."""
        if self._is_closed:
            raise LinkError(reason="send: closed")
        self._network.sent += 1
        for copy in self._network.up.fate(bytes(data)):
            self._network.up.carry(copy, self._serve)

    def _serve(self, data: bytes) -> None:
        if self._network.is_down:
            return
        for answer in self._peer.datagram(data):
            for copy in self._network.down.fate(answer):
                self._network.down.carry(copy, self._arrive)

    def _arrive(self, data: bytes) -> None:
        if len(self._arrived) >= DATAGRAMS:
            self._arrived.popleft()
        self._arrived.append(data)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self, timeout_ms: int) -> bytes | None:
        """Return one datagram, None after `timeout_ms`."""
        if not self._arrived:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(self._waiter, timeout_ms / 1000)
            except TimeoutError:
                return None
        return self._arrived.popleft()

    def close(self) -> None:
        """Close the socket."""
        self._is_closed = True


class MemoryServer:
    """The result of serve_tls. No one can connect from outside; `handler` is for tests."""

    def __init__(self, handler: Callable[[MemoryStream], Awaitable[None]]) -> None:
        self.handler = handler

    async def close(self) -> None:
        """Do nothing: there is nothing to stop."""


class MemoryNetwork:
    """interfaces.Network over memory peers. `is_down` True: no peer answers. `cut()` drops every stream.

    `refuse(name)` may raise LinkError, as a failed TLS handshake does.
    """

    def __init__(
        self,
        *,
        stream_peer: StreamPeer | None = None,
        datagram_peer: DatagramPeer | None = None,
        up: Link | None = None,
        down: Link | None = None,
        refuse: Callable[[str], None] = lambda name: None,
    ) -> None:
        self.up = up or Link()
        self.down = down or Link()
        self.is_down = False
        self.opened = 0  # TLS connections so far
        self.sent = 0  # datagrams that the device sent
        self._stream_peer = stream_peer
        self._datagram_peer = datagram_peer
        self._refuse = refuse
        self._streams: list[MemoryStream] = []

    def stream_peer(self, host: str) -> StreamPeer | None:
        """Return the server that answers at `host`: the same one everywhere."""
        return self._stream_peer

    async def open_tls(
        self, host: str, port: int, name: str, ca_der: bytes, cert_der: bytes, key_der: bytes
    ) -> MemoryStream:
        """Connect to the stream peer after two round trips, as for a TLS handshake. Raises LinkError."""
        self.opened += 1
        peer = self.stream_peer(host)
        if peer is None or self.is_down:
            raise LinkError(reason="connect: no answer")
        if self.up.delay_s or self.down.delay_s:
            await asyncio.sleep(2 * (self.up.delay_s + self.down.delay_s))
        self._refuse(name)
        stream = MemoryStream(self, peer)
        self._streams.append(stream)
        return stream

    async def open_udp(self, host: str, port: int) -> MemoryDatagram:
        """Return a socket to the datagram peer. Raises LinkError without a peer."""
        if self._datagram_peer is None:
            raise LinkError(reason="open udp: no answer")
        return MemoryDatagram(self, self._datagram_peer)

    async def serve_tls(
        self, port: int, cert_der: bytes, key_der: bytes, handler: Callable[[MemoryStream], Awaitable[None]]
    ) -> MemoryServer:
        """Keep the handler; no one can connect."""
        return MemoryServer(handler)

    def hang_up(self) -> None:
        """Do nothing: serve_tls has no clients."""

    async def open_group(self, group: str, port: int) -> None:
        """Return None: this network has no multicast."""

    def addresses(self) -> list[str]:
        """Return the addresses of this device."""
        return ["127.0.0.1"]

    def cut(self) -> None:
        """Drop every stream that is open."""
        for stream in self._streams:
            stream.drop()
        self._streams.clear()

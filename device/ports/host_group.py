"""A multicast group on the host: device.interfaces.Group over a UDP socket of the operating system."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import cast

from device.errors import LinkError

_KEPT = 32  # datagrams for a slow receiver
_TTL = 255  # RFC 6762, 11


class HostGroup(asyncio.DatagramProtocol):
    """interfaces.Group. Use `open_host_group`."""

    def __init__(self, group: tuple[str, int]) -> None:
        self._group = group
        self._transport: asyncio.DatagramTransport | None = None
        self._arrived: deque[tuple[bytes, tuple[str, int]]] = deque(maxlen=_KEPT)
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep a datagram; the oldest gives way."""
        self._arrived.append((data, (addr[0], addr[1])))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def error_received(self, exc: Exception) -> None:
        """Ignore an ICMP error: nobody listening is not a fault of the group."""

    async def send(self, data: bytes, to: object) -> None:
        """Send one datagram to `to`, None: to the group. Raises LinkError."""
        if self._transport is None or self._transport.is_closing():
            raise LinkError(reason="group: closed")
        self._transport.sendto(data, self._group if to is None else cast("tuple[str, int]", to))

    async def receive(self, timeout_ms: int) -> tuple[bytes, tuple[str, int]] | None:
        """Return one datagram and its source, None after `timeout_ms`."""
        if not self._arrived:
            self._waiter = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._waiter,), timeout=timeout_ms / 1000)
        return self._arrived.popleft() if self._arrived else None

    def close(self) -> None:
        """Leave the group."""
        if self._transport is not None:
            self._transport.close()


async def open_host_group(group: str, port: int, interface: str) -> HostGroup:
    """Join `group` on the interface that has the address `interface`. Raises LinkError."""
    try:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:
        raise LinkError(reason=f"group: {error}") from None
    try:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):  # other programs of the host share the port
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        udp.bind(("", port))
        here = socket.inet_aton(interface)
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + here)
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _TTL)
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        udp.setblocking(False)
        loop = asyncio.get_running_loop()
        _, made = await loop.create_datagram_endpoint(lambda: HostGroup((group, port)), sock=udp)
    except OSError as error:
        udp.close()
        raise LinkError(reason=f"group: {error}") from None
    return made

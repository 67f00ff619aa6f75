"""A multicast group for chips whose MicroPython has asyncio and socket (device/ports/sockets.py).

It has not yet run on a chip. MicroPython's stream does not tell who sent a datagram, so the source is always unknown
and every answer goes to the group. Build a firmware without the chip's own mDNS responder: both would use port 5353.
"""

import asyncio
import socket

from device.compat import const
from device.errors import LinkError
from device.limits import MDNS_PACKET_BYTES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any


class SocketGroup:
    """interfaces.Group over a UDP socket."""

    def __init__(self, udp: "Any", group: "Any") -> None:
        self._udp = udp
        self._group = group
        self._stream: "Any" = asyncio.StreamReader(udp)

    async def send(self, data: bytes, to: object) -> None:
        """Send one datagram to the group, since no source is known. Raises LinkError."""
        try:
            self._udp.sendto(data, self._group)
        except OSError as error:
            raise LinkError(reason="group: {}".format(error)) from None

    async def receive(self, timeout_ms: int) -> "tuple[bytes, None] | None":
        """Return one datagram, None after `timeout_ms`. Raises LinkError."""
        try:
            # One byte more than allowed, so that a larger one is refused and not read as a shorter one.
            data: bytes = await asyncio.wait_for(self._stream.read(MDNS_PACKET_BYTES + 1), timeout_ms / 1000)
        except asyncio.TimeoutError:
            return None
        except OSError as error:
            raise LinkError(reason="group: {}".format(error)) from None
        return data, None

    def close(self) -> None:
        """Leave the group."""
        self._udp.close()


def open_group(group: str, port: int, own: str) -> SocketGroup:
    """Join `group` on the interface with the address `own`. Raises LinkError."""
    udp: "Any" = None
    try:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.bind(socket.getaddrinfo("0.0.0.0", port)[0][-1])  # noqa: S104  a group has no address of the unit
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _bytes(group) + _bytes(own))
        udp.setblocking(False)
        return SocketGroup(udp, socket.getaddrinfo(group, port)[0][-1])
    except (OSError, ValueError) as error:
        if udp is not None:
            udp.close()
        raise LinkError(reason="group: {}".format(error)) from None


def _bytes(address: str) -> bytes:
    return bytes([int(part) for part in address.split(".")])

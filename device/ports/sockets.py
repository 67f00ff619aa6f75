"""Network for chips whose MicroPython has asyncio, socket and tls (esp32, rp2 with a radio).

Rules:
1. OSError numbers and the TLS library's ValueError stop here; policy sees LinkError and LinkTimeoutError.
2. A server's certificate is always checked: chain to the one CA given, name, key usage. Whether its dates are
   checked is the clock port's matter (porting.md, step 6).
3. A TLS handshake runs with the first read or write, so its failure comes out there.

Not yet run on hardware.
"""

import asyncio
import socket

import tls

from device.compat import const
from device.errors import LinkError, LinkTimeoutError
from device.limits import COAP_MESSAGE_BYTES, CONNECT_TIMEOUT_S, HTTP_CLIENTS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable


class SocketStream:
    """interfaces.Stream over an asyncio stream; one object reads and writes on MicroPython."""

    def __init__(self, stream: "Any") -> None:
        self._stream = stream

    async def read(self, limit: int) -> bytes:
        """Give 1..limit bytes, b"" at the end of the stream. Raises LinkError."""
        try:
            data: bytes = await self._stream.read(limit)
        except (OSError, ValueError) as error:
            raise _link_error("read", error) from None
        return data

    async def readexactly(self, length: int) -> bytes:
        """Give `length` bytes. Raises LinkError, also when the stream ends before."""
        try:
            data: bytes = await self._stream.readexactly(length)
        except EOFError:
            raise LinkError(reason="closed") from None
        except (OSError, ValueError) as error:
            raise _link_error("read", error) from None
        return data

    async def write(self, data: bytes) -> None:
        """Hand all of `data` to the network stack. Raises LinkError."""
        try:
            self._stream.write(data)
            await self._stream.drain()
        except (OSError, ValueError) as error:
            raise _link_error("write", error) from None

    async def close(self) -> None:
        """Close; a peer that is gone already is no error."""
        try:
            self._stream.close()
            await self._stream.wait_closed()
        except (OSError, ValueError):
            pass


class SocketDatagram:
    """interfaces.Datagram over a connected UDP socket: datagrams of other peers are dropped by the stack."""

    def __init__(self, udp: "Any") -> None:
        self._udp = udp
        self._stream: "Any" = asyncio.StreamReader(udp)

    async def send(self, data: bytes) -> None:
        """Send one datagram. Raises LinkError."""
        try:
            self._udp.send(data)
        except OSError as error:
            raise _link_error("send", error) from None

    async def receive(self, timeout_ms: int) -> "bytes | None":
        """Give one datagram, None when `timeout_ms` passed. Raises LinkError."""
        try:
            # One byte more than allowed, so that the CoAP core sees an oversized message and refuses it.
            data: bytes = await asyncio.wait_for_ms(self._stream.read(COAP_MESSAGE_BYTES + 1), timeout_ms)
        except asyncio.TimeoutError:
            return None
        except OSError as error:
            raise _link_error("receive", error) from None
        return data

    def close(self) -> None:
        """Close the socket."""
        self._udp.close()


class SocketNetwork:
    """interfaces.Network over the chip's own stack; the board's main has brought the interface up."""

    def __init__(self) -> None:
        self._clients = 0

    async def open_tls(
        self, host: str, port: int, name: str, ca_der: bytes, cert_der: bytes, key_der: bytes
    ) -> "SocketStream":
        """Connect with the device's certificate. Raises LinkError, LinkTimeoutError."""
        context = _context(tls.PROTOCOL_TLS_CLIENT, cert_der, key_der)
        try:
            context.verify_mode = tls.CERT_REQUIRED
            context.load_verify_locations(ca_der)
            connection: "Any" = await asyncio.wait_for(
                asyncio.open_connection(host, port, ssl=context, server_hostname=name), CONNECT_TIMEOUT_S
            )
        except asyncio.TimeoutError:
            raise LinkTimeoutError(reason="connect") from None
        except (OSError, ValueError) as error:
            raise _link_error("connect", error) from None
        return SocketStream(connection[0])

    async def open_udp(self, host: str, port: int) -> "SocketDatagram":
        """Give a socket that talks to `host` alone. Raises LinkError."""
        try:
            address = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0][-1]
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.setblocking(False)
            udp.connect(address)
        except OSError as error:
            raise _link_error("connect", error) from None
        return SocketDatagram(udp)

    async def serve_tls(
        self, port: int, cert_der: bytes, key_der: bytes, handler: "Callable[[SocketStream], Awaitable[None]]"
    ) -> object:
        """Listen on every address; give the server object. Raises LinkError."""
        context = _context(tls.PROTOCOL_TLS_SERVER, cert_der, key_der)

        async def serve(reader: "Any", writer: "Any") -> None:
            stream = SocketStream(reader)
            if self._clients >= HTTP_CLIENTS:
                await stream.close()
                return
            self._clients += 1
            try:
                await handler(stream)
            except LinkError:
                pass  # the client went away: nobody is left to tell
            finally:
                self._clients -= 1
                await stream.close()

        try:
            return await asyncio.start_server(serve, "0.0.0.0", port, ssl=context)  # noqa: S104  the local pages
        except OSError as error:
            raise _link_error("listen", error) from None


def _context(protocol: int, cert_der: bytes, key_der: bytes) -> "Any":
    context = tls.SSLContext(protocol)
    try:
        context.load_cert_chain(cert_der, key_der)
    except (OSError, ValueError) as error:
        raise _link_error("credentials", error) from None
    return context


def _link_error(action: str, error: "Exception") -> LinkError:
    """The typed error for what the stack raised; the TLS library's text names the reason, never a secret."""
    detail = error.args[0] if error.args else ""
    return LinkError(reason="{}: {}".format(action, detail))

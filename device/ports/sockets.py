"""Network for chips whose MicroPython has asyncio, socket and tls.

Rules:
1. OSError numbers and the TLS library's ValueError stop here; policy sees LinkError and LinkTimeoutError.
2. A server's certificate is always checked: chain to the given CA, name, key usage. The clock port decides whether
   its dates are checked (docs/porting.md, step 1).
3. A client's handshake is finished when open_tls returns. A server's handshake runs during its handler's first read.
4. The port closes the TCP socket below TLS, because a failed handshake leaves it open.

The emulated board's port uses this module. It has not yet run on an ESP32.
"""

import asyncio
import socket
import time

import tls

from device.compat import const, forget
from device.errors import CertificateError, LinkError, LinkTimeoutError
from device.limits import COAP_MESSAGE_BYTES, CONNECT_TIMEOUT_S, HTTP_SILENCE_S
from device.net.places import Places

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable, Sequence

    from device.ports.socket_group import SocketGroup

_HANDSHAKE_POLL_MS = const(2)
_LISTEN_AGAIN_MS = const(200)


class SocketStream:
    """interfaces.Stream over an asyncio stream; one object reads and writes on MicroPython."""

    def __init__(self, stream: "Any") -> None:
        self._stream = stream

    async def read(self, limit: int) -> bytes:
        """Return 1..limit bytes, b"" at the end of the stream. Raises LinkError."""
        try:
            data: bytes = await self._stream.read(limit)
        except (OSError, ValueError) as error:
            raise _link_error("read", error) from None
        return data

    async def readexactly(self, length: int) -> bytes:
        """Return `length` bytes. Raises LinkError, also if the stream ends before."""
        try:
            data: bytes = await self._stream.readexactly(length)
        except EOFError:
            raise LinkError(reason="closed") from None
        except (OSError, ValueError) as error:
            raise _link_error("read", error) from None
        return data

    async def write(self, data: bytes) -> None:
        """Pass all of `data` to the network stack. Raises LinkError."""
        try:
            self._stream.write(data)
            await self._stream.drain()
        except (OSError, ValueError) as error:
            raise _link_error("write", error) from None

    async def close(self) -> None:
        """Close. It is not an error if the peer has already closed."""
        try:
            self._stream.close()
            await self._stream.wait_closed()
        except (OSError, ValueError):
            pass


class TlsStream(SocketStream):
    """A TLS socket as interfaces.Stream. `first` is data that arrived with the end of the handshake."""

    def __init__(self, secured: "Any", raw: "Any", first: bytes = b"") -> None:
        super().__init__(asyncio.StreamReader(secured))
        self._raw = raw
        self._first = first

    async def read(self, limit: int) -> bytes:
        """Return 1..limit bytes, b"" at the end of the stream. Raises LinkError."""
        if self._first:
            first, self._first = self._first, b""
            return first
        return await super().read(limit)

    async def readexactly(self, length: int) -> bytes:
        """Return `length` bytes. Raises LinkError, also if the stream ends before."""
        first, self._first = self._first[:length], self._first[length:]
        return first + await super().readexactly(length - len(first))

    async def close(self) -> None:
        """Close TLS and the socket below. It is not an error if the peer has already closed."""
        await super().close()
        _close(self._raw)


class ServedTlsStream(TlsStream):
    """A client of serve_tls; implements interfaces.ServedStream. It takes no TLS memory before `secure`."""

    def __init__(self, raw: "Any") -> None:
        super().__init__(raw, raw)
        self.is_silent = True
        self.is_waiting = True
        self.is_reading = False

    async def hear(self) -> None:
        """Wait for the client's first byte, without reading it. Raises OSError, asyncio.TimeoutError."""
        # A read of 0 bytes ends as soon as the socket has something to read, or its end.
        await asyncio.wait_for(asyncio.StreamReader(self._raw).read(0), HTTP_SILENCE_S)
        self.is_silent = False

    def secure(self, context: "Any") -> None:
        """Begin TLS; the handshake runs during the first read. Raises OSError, ValueError, MemoryError."""
        secured = context.wrap_socket(self._raw, server_side=True, do_handshake_on_connect=False)
        self._stream = asyncio.StreamReader(secured)


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
        """Return one datagram, None after `timeout_ms`. Raises LinkError."""
        try:
            # One byte more than allowed, so that the CoAP core can refuse an oversized message.
            data: bytes = await asyncio.wait_for_ms(self._stream.read(COAP_MESSAGE_BYTES + 1), timeout_ms)
        except asyncio.TimeoutError:
            return None
        except OSError as error:
            raise _link_error("receive", error) from None
        return data

    def close(self) -> None:
        """Close the socket."""
        self._udp.close()


class _Listener:
    """Accepts clients on every address until close(). MicroPython's server ends if it has no memory for a client; this
    one frees what it can and listens again.
    """

    def __init__(self, port: int, serve: "Callable[[Any, Any], Awaitable[None]]") -> None:
        self._port = port
        self._serve = serve
        self._server: "Any" = None
        self._task: "Any" = None

    async def start(self) -> None:
        """Begin. Raises LinkError."""
        await self._listen()
        self._task = asyncio.create_task(self._keep())

    async def _listen(self) -> None:
        try:
            self._server = await asyncio.start_server(self._serve, "0.0.0.0", self._port)  # noqa: S104  local pages
        except OSError as error:
            raise _link_error("listen", error) from None

    async def _keep(self) -> None:
        while True:
            try:
                await self._server.wait_closed()
                return
            except MemoryError:
                pass
            self._server = None
            forget()  # closes the socket that the ended server listened on
            await self._again()

    async def _again(self) -> None:
        while self._server is None:
            await asyncio.sleep_ms(_LISTEN_AGAIN_MS)
            try:
                await self._listen()
            except (LinkError, MemoryError):
                forget()

    async def close(self) -> None:
        """End the listener; clients that are connected stay."""
        self._task.cancel()
        if self._server is not None:
            self._server.close()


class SocketNetwork:
    """interfaces.Network over the chip's own stack; the board's main has brought the interface up."""

    def __init__(self) -> None:
        self._places = Places()

    def require_up(self) -> None:
        """Raise LinkError if the network must not be used: no entropy, or the radio is off."""

    def addresses(self) -> "Sequence[str]":
        """Return the unit's own addresses as text. A board's network overrides this (docs/porting.md, step 11)."""
        return ()

    async def open_group(self, group: str, port: int) -> "SocketGroup | None":
        """Join a multicast group on the first interface. Raises LinkError, also while there is no address."""
        self.require_up()
        own = self.addresses()
        if not own:
            raise LinkError(reason="group: no address yet")
        from device.ports.socket_group import open_group  # not in the firmware of a board without multicast

        return open_group(group, port, own[0])

    async def open_tls(
        self, host: str, port: int, name: str, ca_der: bytes, cert_der: bytes, key_der: bytes
    ) -> "TlsStream":
        """Connect, with the certificate `cert_der` if there is one, and finish the handshake.

        Raises LinkError, LinkTimeoutError after limits.CONNECT_TIMEOUT_S.
        """
        self.require_up()
        context = _context(tls.PROTOCOL_TLS_CLIENT, cert_der, key_der)
        raw: "Any" = None
        try:
            context.verify_mode = tls.CERT_REQUIRED
            context.load_verify_locations(ca_der)
            deadline = time.ticks_add(time.ticks_ms(), CONNECT_TIMEOUT_S * 1000)
            connection: "Any" = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_TIMEOUT_S)
            raw = connection[0].s
            secured = context.wrap_socket(raw, server_hostname=name, do_handshake_on_connect=False)
            return TlsStream(secured, raw, await _handshake(secured, deadline))
        except asyncio.TimeoutError:
            raise LinkTimeoutError(reason="connect") from None
        except LinkError:
            _close(raw)
            raise
        except (OSError, ValueError) as error:
            _close(raw)
            raise _connect_error(error) from None

    async def open_udp(self, host: str, port: int) -> "SocketDatagram":
        """Return a socket that is connected to `host`. Raises LinkError."""
        self.require_up()
        try:
            address = socket.getaddrinfo(host, port)[0][-1]  # lwIP's port takes no further arguments
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.setblocking(False)
            udp.connect(address)
        except OSError as error:
            raise _link_error("connect", error) from None
        return SocketDatagram(udp)

    def hang_up(self) -> None:
        """End every client of serve_tls."""
        self._places.hang_up()

    async def serve_tls(
        self,
        port: int,
        cert_der: bytes,
        key_der: bytes,
        handler: "Callable[[ServedTlsStream], Awaitable[None]]",
    ) -> object:
        """Listen on every address and return the server object. Raises LinkError.

        A client without a place (device/net/places.py) is closed before it begins its handshake.
        """
        self.require_up()
        context = _context(tls.PROTOCOL_TLS_SERVER, cert_der, key_der)

        async def serve(reader: "Any", writer: "Any") -> None:
            raw = reader.s
            stream: "ServedTlsStream | None" = None
            try:
                stream = ServedTlsStream(raw)
                task = asyncio.current_task()
                if task is not None and self._places.enter(peer_of(writer), stream, task.cancel):
                    await stream.hear()  # a client that gives way frees its memory meanwhile
                    stream.secure(context)
                    await handler(stream)
            except (LinkError, asyncio.TimeoutError, OSError, ValueError, MemoryError):
                pass  # the client has closed or is silent, or there is no memory for one more: others continue
            finally:
                if stream is not None:
                    self._places.leave(stream)
                _close(raw)

        listener = _Listener(port, serve)
        await listener.start()
        return listener


async def _handshake(secured: "Any", deadline: int) -> bytes:
    """Run the handshake to its end; return the data that the peer sent after it (at most one byte, usually none).

    A read without data gives None during and after the handshake. The peer's certificate exists only after it.
    """
    while True:
        data = secured.read(1)
        if data is not None:
            if data:
                return bytes(data)
            raise LinkError(reason="connect: closed")
        if secured.getpeercert(True) is not None:
            return b""
        if time.ticks_diff(deadline, time.ticks_ms()) <= 0:
            raise LinkTimeoutError(reason="handshake")
        await asyncio.sleep_ms(_HANDSHAKE_POLL_MS)


def peer_of(writer: "Any") -> object:
    """Return the address of a client without its port: (address, port, ...) on lwIP and ESP-IDF."""
    return writer.get_extra_info("peername")[0]


def _close(raw: "Any") -> None:
    try:
        if raw is not None:
            raw.close()
    except OSError:
        pass


def _context(protocol: int, cert_der: bytes, key_der: bytes) -> "Any":
    context = tls.SSLContext(protocol)
    if not cert_der:
        return context
    try:
        context.load_cert_chain(cert_der, key_der)
    except (OSError, ValueError) as error:
        raise _link_error("credentials", error) from None
    return context


def _link_error(action: str, error: "Exception") -> LinkError:
    """Return the typed error for an error of the stack. The TLS library's text names the reason, never a secret."""
    detail = error.args[-1] if error.args else type(error).__name__
    return LinkError(reason="{}: {}".format(action, detail))


def _connect_error(error: "Exception") -> LinkError:
    """Return CertificateError for what the TLS library says about a certificate: a ValueError, or the error's name."""
    found = _link_error("connect", error)
    if isinstance(error, ValueError) or "CERT" in found.describe():
        return CertificateError(reason=found.fields["reason"])
    return found

"""Ports of a CPython host for the simulator: TLS and UDP on asyncio, the clock, the system's entropy.

Certificate dates: OpenSSL's own check is off (X509_V_FLAG_NO_CHECK_TIME), because Python's ssl module cannot give
OpenSSL a time other than the system's. If there is a trusted time, the port compares notBefore and notAfter of the
peer's certificate with it. It does not check dates of CA certificates; the board does that in Mbed TLS, and the pinned
maker's CA does not expire.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import cast

from device.errors import CertificateError, EntropyError, LinkError, LinkTimeoutError
from device.limits import CONNECT_TIMEOUT_S, HTTP_READ_TIMEOUT_S, HTTP_SILENCE_S
from device.net.places import Places
from device.ports.host_group import HostGroup, open_host_group
from device.ports.host_identity import load_identity

TICKS_PERIOD = 1 << 30
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, openssl/x509_vfy.h
DATAGRAMS = 32  # kept for a slow receiver; older ones are dropped, as a network does


@contextlib.contextmanager
def _link_errors(what: str) -> Iterator[None]:
    """Turn errors of sockets and TLS into LinkError. The text names the step and the kind, nothing secret."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise CertificateError(reason=f"{what}: {error.verify_message}") from None
    except TimeoutError:
        raise LinkTimeoutError(reason=what) from None
    except asyncio.IncompleteReadError:
        raise LinkError(reason=f"{what}: end of stream") from None
    except OSError as error:
        raise LinkError(reason=f"{what}: {type(error).__name__}") from None


class HostStream:
    """A byte stream over asyncio's reader and writer; implements device.interfaces.Stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_closed = False

    async def read(self, limit: int) -> bytes:
        """Return 1..limit bytes, b"" at the end of the stream. Raises LinkError."""
        with _link_errors("read"):
            return await self._reader.read(limit)

    async def readexactly(self, length: int) -> bytes:
        """Return exactly `length` bytes. Raises LinkError if the stream ends before."""
        with _link_errors("read"):
            return await self._reader.readexactly(length)

    async def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LinkError."""
        with _link_errors("write"):
            self._writer.write(data)
            await self._writer.drain()

    async def close(self) -> None:
        """Close. It is not an error if the peer has already closed, or if this was called before."""
        if self._is_closed:
            return  # after the limit below, wait_closed() of asyncio would raise CancelledError
        self._is_closed = True
        self._writer.close()
        with contextlib.suppress(OSError):  # TimeoutError is one
            # TLS waits for the peer's close_notify, which a peer without power never sends.
            await asyncio.wait_for(self._writer.wait_closed(), 1)


class ServedHostStream(HostStream):
    """A client of serve_tls; implements interfaces.ServedStream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.is_silent = True
        self.is_waiting = True
        self.is_reading = False
        self.is_hung_up = False
        self._task = asyncio.current_task()

    async def hear(self) -> None:
        """Wait for the client's first byte, without reading it. Raises LinkError, also if it does not come in time."""
        # Nothing may wait before this: what the client sends meanwhile would be read as plain text.
        cast(asyncio.ReadTransport, self._writer.transport).pause_reading()
        loop = asyncio.get_running_loop()
        heard = asyncio.Event()
        with _link_errors("first byte"):
            # A second descriptor: the event loop takes no second reader for the one of a transport.
            descriptor = os.dup(self._writer.get_extra_info("socket").fileno())
            loop.add_reader(descriptor, heard.set)
            try:
                async with asyncio.timeout(HTTP_SILENCE_S):
                    await heard.wait()
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)
        self.is_silent = False

    async def secure(self, context: ssl.SSLContext) -> None:
        """Run the server's handshake. Raises LinkError."""
        with _link_errors("handshake"):
            await self._writer.start_tls(context, ssl_handshake_timeout=HTTP_READ_TIMEOUT_S)

    def hang_up(self) -> None:
        """Drop the connection at once and end the task that serves it."""
        self.is_hung_up = True
        self._writer.transport.abort()
        if self._task is not None:
            self._task.cancel()


class HostDatagram(asyncio.DatagramProtocol):
    """A connected UDP socket; implements device.interfaces.Datagram."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue(DATAGRAMS)
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self._arrived.full():
            self._arrived.get_nowait()
        self._arrived.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """Ignore an ICMP error: the caller sends again or gives up."""

    async def send(self, data: bytes) -> None:
        """Send one datagram. Raises LinkError once closed."""
        if self._transport is None or self._transport.is_closing():
            raise LinkError(reason="send: closed")
        with _link_errors("send"):
            self._transport.sendto(data)

    async def receive(self, timeout_ms: int) -> bytes | None:
        """Return one datagram, None after `timeout_ms`."""
        try:
            return await asyncio.wait_for(self._arrived.get(), timeout_ms / 1000)
        except TimeoutError:
            return None

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()


class HostServer:
    """A listening TLS server: `host`, `port` as bound, `close()`."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.host, self.port = server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Stop listening."""
        self._server.close()
        await self._server.wait_closed()


class HostClock:
    """The system's monotonic clock; implements device.interfaces.Clock."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._trusted: tuple[int, float] | None = None

    def ticks_ms(self) -> int:
        """Return the milliseconds since construction, modulo 2**30."""
        return int((time.monotonic() - self._start) * 1000) % TICKS_PERIOD

    def ticks_diff(self, later: int, earlier: int) -> int:
        """Return the signed distance in ms, which is correct below 2**29."""
        half = TICKS_PERIOD // 2
        return (later - earlier + half) % TICKS_PERIOD - half

    def set_trusted_time(self, unix_s: int | None) -> None:
        """Set the time (Unix seconds) for certificate dates; None = do not check dates."""
        self._trusted = None if unix_s is None else (unix_s, time.monotonic())

    def trusted_time(self) -> int | None:
        """Return the trusted time now (Unix seconds), or None."""
        if self._trusted is None:
            return None
        return self._trusted[0] + int(time.monotonic() - self._trusted[1])


class HostEntropy:
    """The system's entropy; implements device.interfaces.Entropy."""

    def is_ready(self) -> bool:
        """Return whether random numbers are available: always, on a host."""
        return True

    def random_bytes(self, length: int) -> bytes:
        """Return `length` random bytes. Raises EntropyError if the system has none."""
        try:
            return os.urandom(length)
        except (NotImplementedError, OSError):
            raise EntropyError from None


class HostNetwork:
    """TLS client and server and UDP; implements device.interfaces.Network.

    `trusted_time` gives the Unix time for certificate dates (None = unchecked), as HostClock.trusted_time does.
    `addresses` maps a host in the device's records to the host to connect to, as a gateway does: {"10.0.2.2":
    "127.0.0.1"}. `listen_on` replaces the address and port of serve_tls, because a host may not have port 443 free.
    `group_on`: address of the interface that joins multicast groups, and a port instead of theirs (0: theirs).
    """

    def __init__(
        self,
        trusted_time: Callable[[], int | None],
        *,
        addresses: Mapping[str, str] | None = None,
        listen_on: tuple[str, int] | None = None,
        group_on: tuple[str, int] | None = None,
    ) -> None:
        self._trusted_time = trusted_time
        self._addresses = dict(addresses or {})
        self._listen_on = listen_on
        self._group_on = group_on
        self._places = Places()

    async def open_tls(
        self, host: str, port: int, name: str, ca_der: bytes, cert_der: bytes, key_der: bytes
    ) -> HostStream:
        """Connect, with the client certificate if there is one. Check chain to `ca_der`, `name`, key usage, and dates
        as stated above.

        Raises LinkError, LinkTimeoutError.
        """
        with _link_errors("connect"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain, host name, server key usage
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
            context.load_verify_locations(cadata=ca_der)
            if cert_der:
                load_identity(context, cert_der, key_der)
            opened = asyncio.open_connection(
                self._addresses.get(host, host), port, ssl=context, server_hostname=name
            )
            reader, writer = await asyncio.wait_for(opened, CONNECT_TIMEOUT_S)
        try:
            self._check_dates(writer)
        except LinkError:
            writer.close()
            raise
        return HostStream(reader, writer)

    def _check_dates(self, writer: asyncio.StreamWriter) -> None:
        now_s = self._trusted_time()
        if now_s is None:
            return
        peer = writer.get_extra_info("peercert")
        if not ssl.cert_time_to_seconds(peer["notBefore"]) <= now_s:
            raise CertificateError(reason="connect: certificate is not yet valid")
        if not now_s <= ssl.cert_time_to_seconds(peer["notAfter"]):
            raise CertificateError(reason="connect: certificate has expired")

    async def open_udp(self, host: str, port: int) -> HostDatagram:
        """Return a UDP socket connected to `host`. Raises LinkError."""
        loop = asyncio.get_running_loop()
        address = (self._addresses.get(host, host), port)
        with _link_errors("open udp"):
            _, datagram = await loop.create_datagram_endpoint(
                HostDatagram, remote_addr=address, family=socket.AF_INET
            )
        return datagram

    async def open_group(self, group: str, port: int) -> HostGroup | None:
        """Join a multicast group on the interface of `group_on`; None without it. Raises LinkError."""
        if self._group_on is None:
            return None
        interface, group_port = self._group_on
        return await open_host_group(group, group_port or port, interface)

    def addresses(self) -> tuple[str, ...]:
        """Return the address that serve_tls listens on; nothing if it listens on all, and the caller must add them."""
        return (self._listen_on[0],) if self._listen_on else ()

    def hang_up(self) -> None:
        """End every client of serve_tls."""
        self._places.hang_up()

    async def serve_tls(
        self,
        port: int,
        cert_der: bytes,
        key_der: bytes,
        handler: Callable[[ServedHostStream], Awaitable[None]],
    ) -> HostServer:
        """Listen; call `handler(stream)` for each client that gets a place (device/net/places.py).

        Raises LinkError if the address is not available.
        """
        places = self._places

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            stream = ServedHostStream(reader, writer)
            try:
                if places.enter(writer.get_extra_info("peername")[0], stream, stream.hang_up):
                    await stream.hear()
                    await stream.secure(context)
                    await handler(stream)
            except LinkError:
                pass  # the client has closed
            except asyncio.CancelledError:
                if not stream.is_hung_up:
                    raise
            finally:
                places.leave(stream)
                await stream.close()

        with _link_errors("listen"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            load_identity(context, cert_der, key_der)
            host, port = self._listen_on or ("0.0.0.0", port)  # noqa: S104 - a device answers on its network
            server = await asyncio.start_server(serve, host, port)
        return HostServer(server)

"""Ports of a CPython host: TLS and UDP through asyncio, the clock, the system's entropy. Used by the simulator.

Certificate dates: OpenSSL's own check is switched off (X509_V_FLAG_NO_CHECK_TIME), because Python's ssl module
cannot give OpenSSL another time than the system's. With a trusted time set, the port compares notBefore and
notAfter of the peer's own certificate with it. Dates of the certificates above it are not compared here; the board
does that in Mbed TLS, and the pinned maker's CA has no end anyway.
"""

import asyncio
import binascii
import contextlib
import os
import socket
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import IO, cast

from device.errors import EntropyError, LinkError, LinkTimeoutError
from device.limits import CONNECT_TIMEOUT_S, HTTP_CLIENTS

TICKS_PERIOD = 1 << 30
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, openssl/x509_vfy.h
DATAGRAMS = 32  # held for a receiver that is late; older ones are dropped, as a network would


@contextlib.contextmanager
def _link_errors(what: str) -> Iterator[None]:
    """Turn what sockets and TLS raise into LinkError; the text names the step and the kind, nothing secret."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise LinkError(reason=f"{what}: {error.verify_message}") from None
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

    async def read(self, limit: int) -> bytes:
        """Give 1..limit bytes, b"" at the end of the stream. Raises LinkError."""
        with _link_errors("read"):
            return await self._reader.read(limit)

    async def readexactly(self, length: int) -> bytes:
        """Give exactly `length` bytes. Raises LinkError when the stream ends before."""
        with _link_errors("read"):
            return await self._reader.readexactly(length)

    async def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LinkError."""
        with _link_errors("write"):
            self._writer.write(data)
            await self._writer.drain()

    async def close(self) -> None:
        """Close; a peer that is already gone is no error."""
        self._writer.close()
        with contextlib.suppress(OSError):  # TimeoutError is one
            # TLS waits for the peer's close_notify, which a vanished peer never sends.
            await asyncio.wait_for(self._writer.wait_closed(), 1)


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
        """An ICMP error is no answer; the caller's retransmission decides."""

    async def send(self, data: bytes) -> None:
        """Send one datagram. Raises LinkError once closed."""
        if self._transport is None or self._transport.is_closing():
            raise LinkError(reason="send: closed")
        with _link_errors("send"):
            self._transport.sendto(data)

    async def receive(self, timeout_ms: int) -> bytes | None:
        """Give one datagram, None when `timeout_ms` passed."""
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
        """Give the milliseconds since construction, modulo 2**30."""
        return int((time.monotonic() - self._start) * 1000) % TICKS_PERIOD

    def ticks_diff(self, later: int, earlier: int) -> int:
        """Give the signed distance in ms, right for distances below 2**29."""
        half = TICKS_PERIOD // 2
        return (later - earlier + half) % TICKS_PERIOD - half

    def set_trusted_time(self, unix_s: int | None) -> None:
        """Set the time that certificate dates are checked against; None = dates unchecked."""
        self._trusted = None if unix_s is None else (unix_s, time.monotonic())

    def trusted_time(self) -> int | None:
        """Give the trusted time, moved on since it was set (unix s), None while there is none."""
        if self._trusted is None:
            return None
        return self._trusted[0] + int(time.monotonic() - self._trusted[1])


class HostEntropy:
    """The system's entropy; implements device.interfaces.Entropy."""

    def is_ready(self) -> bool:
        """Say whether random_bytes will answer; a host's kernel always does."""
        return True

    def random_bytes(self, length: int) -> bytes:
        """Give `length` random bytes. Raises EntropyError when the system has none."""
        try:
            return os.urandom(length)
        except (NotImplementedError, OSError):
            raise EntropyError from None


class HostNetwork:
    """TLS client and server and UDP; implements device.interfaces.Network.

    `trusted_time` gives the unix time for certificate dates (None = unchecked), as HostClock.trusted_time does.
    `addresses` maps a host in the device's records to the one to dial, as a gateway would: {"10.0.2.2":
    "127.0.0.1"}. `listen_on` replaces the address and port of serve_tls: port 443 is not ours on a host.
    """

    def __init__(
        self,
        trusted_time: Callable[[], int | None],
        *,
        addresses: Mapping[str, str] | None = None,
        listen_on: tuple[str, int] | None = None,
    ) -> None:
        self._trusted_time = trusted_time
        self._addresses = dict(addresses or {})
        self._listen_on = listen_on

    async def open_tls(
        self, host: str, port: int, name: str, ca_der: bytes, cert_der: bytes, key_der: bytes
    ) -> HostStream:
        """Connect with the client certificate; check chain to `ca_der`, `name`, key usage, dates as said above.

        Raises LinkError, LinkTimeoutError.
        """
        with _link_errors("connect"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain, host name, server key usage
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
            context.load_verify_locations(cadata=ca_der)
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
            raise LinkError(reason="connect: certificate is not yet valid")
        if not now_s <= ssl.cert_time_to_seconds(peer["notAfter"]):
            raise LinkError(reason="connect: certificate has expired")

    async def open_udp(self, host: str, port: int) -> HostDatagram:
        """Give a UDP socket connected to `host`. Raises LinkError."""
        loop = asyncio.get_running_loop()
        address = (self._addresses.get(host, host), port)
        with _link_errors("open udp"):
            _, datagram = await loop.create_datagram_endpoint(
                HostDatagram, remote_addr=address, family=socket.AF_INET
            )
        return datagram

    def addresses(self) -> tuple[str, ...]:
        """The address that serve_tls listens on; none where it listens on all, which a host's caller then adds."""
        return (self._listen_on[0],) if self._listen_on else ()

    async def serve_tls(
        self, port: int, cert_der: bytes, key_der: bytes, handler: Callable[[HostStream], Awaitable[None]]
    ) -> HostServer:
        """Listen; call `handler(stream)` per client, at most HTTP_CLIENTS at once, the next ones are closed.

        Raises LinkError when the address cannot be had.
        """
        clients = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal clients
            stream = HostStream(reader, writer)
            if clients >= HTTP_CLIENTS:
                await stream.close()
                return
            clients += 1
            try:
                await handler(stream)
            except LinkError:
                pass  # the client went away; nobody is left to tell
            finally:
                clients -= 1
                await stream.close()

        with _link_errors("listen"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            load_identity(context, cert_der, key_der)
            host, port = self._listen_on or ("0.0.0.0", port)  # noqa: S104 - a device answers on its network
            server = await asyncio.start_server(serve, host, port, ssl=context, ssl_handshake_timeout=10)
        return HostServer(server)


def load_identity(context: ssl.SSLContext, cert_der: bytes, key_der: bytes) -> None:
    """Give `context` a certificate and its private key (SEC1 or PKCS#8 DER). Raises LinkError.

    ssl takes keys from files only, so they go through a file in memory, which never touches a disk; where the
    system has none, through a temporary file of its owner's that is gone on return.
    """
    kind = "EC PRIVATE KEY" if _is_sec1(key_der) else "PRIVATE KEY"
    with _private_file() as file:
        file.write(_pem("CERTIFICATE", cert_der) + _pem(kind, key_der))
        file.flush()
        try:
            context.load_cert_chain(_path(file))
        except (ssl.SSLError, ValueError):
            raise LinkError(reason="certificate and key do not load") from None


def _private_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("identity"), "wb")
    return tempfile.NamedTemporaryFile()  # mode 0600


def _path(file: IO[bytes]) -> str:
    return f"/proc/self/fd/{file.fileno()}" if hasattr(os, "memfd_create") else file.name


def _is_sec1(key_der: bytes) -> bool:
    """RFC 5915 begins with version 1, PKCS#8 (RFC 5958) with version 0: the INTEGER behind the SEQUENCE's head."""
    head = 2 if len(key_der) > 1 and key_der[1] < 0x80 else 2 + (key_der[1] & 0x7F if len(key_der) > 1 else 0)
    return key_der[head : head + 3] == b"\x02\x01\x01"


def _pem(label: str, der: bytes) -> bytes:
    body = b"".join(binascii.b2a_base64(der[start : start + 48]) for start in range(0, len(der), 48))
    return f"-----BEGIN {label}-----\n".encode() + body + f"-----END {label}-----\n".encode()

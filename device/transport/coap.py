"""Releases over CoAP (RFC 7252), Block2 (RFC 7959) and OSCORE (RFC 8613): the resources of docs/reference/topics.md.

Rules:
1. Every request is protected. An unprotected answer is a refusal and never content.
2. A server that does not know the unit's sequence numbers challenges with Echo. The unit answers the challenge once
   (RFC 8613 B.1.2).
3. Blocks are requested one at a time. Each answer is bounded, matched and of the same representation.
4. A datagram that cannot be delivered counts as lost. ICMP is not authenticated, so the retransmission decides.
5. One request is under way at a time (NSTART 1, RFC 7252 4.7). If a server acknowledged a request and never answered
   it, the next request waits until PROBING_RATE allows it, even in a later check: that check ends with
   LinkTimeoutError.
6. An unprotected 4.01 says that the server has seen the request's number (RFC 8613 8.2). This happens if its
   answer was lost and a NAT gave the retransmission another port. The request is sent once more under a new number.
   Anyone can send a 4.01: it costs one more request at most, and never ends a transfer by itself.
7. The blocks of a chunk are written into one buffer, which every chunk uses. The blocks of an object go into the
   object itself, whose size is known. Otherwise a board would need each of them twice, and large free blocks of heap.
"""

from collections import namedtuple

from device import limits
from device.compat import const
from device.errors import LimitError, LinkError, LinkTimeoutError, PeerRefusedError, ProtocolError
from device.net import coap, oscore
from device.net.probing import Probing
from device.transport.wait import sleep_ms

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Iterable

    from device.interfaces import Clock, Datagram, Digests, Entropy, Network
    from device.net.sender_sequence import SenderSequence

    Options = tuple[tuple[int, bytes], ...]

CoapPeer = namedtuple("CoapPeer", ("host", "port"))
_Plan = namedtuple("_Plan", ("path", "size", "etag"))


def _uri(*parts: str) -> "Options":
    """Return the options of these parts of a path."""
    return tuple([(coap.URI_PATH, part.encode()) for part in parts])


class CoapSource:
    """`Source` of device/interfaces.py over a CoAP server.

    `sequence` is the one SenderSequence of these credentials in this unit: sources that share the credentials share it.
    `buffer` has at least limits.CHUNK_BYTES; sources that are not open at the same time can share it. `probing` has
    the pause of rule 5; a source that is made later for the same server can take it over.
    """

    name = "coap"

    def __init__(
        self,
        network: "Network",
        clock: "Clock",
        entropy: "Entropy",
        peer: CoapPeer,
        class_id: bytes,
        *,
        credentials: oscore.Credentials,
        sequence: "SenderSequence",
        buffer: "bytearray | None" = None,
    ) -> None:
        self._network = network
        self._clock = clock
        self._entropy = entropy
        self._peer = peer
        self._class_path = _uri("fb", class_id.hex())
        self._context = oscore.derive(
            credentials.secret, credentials.salt, credentials.sender_id, credentials.recipient_id
        )
        self._sequence = sequence
        self._buffer = bytearray(limits.CHUNK_BYTES) if buffer is None else buffer
        self._datagram: "Datagram | None" = None
        self._message_id = 0
        self._plan: "_Plan | None" = None
        self.probing = Probing(clock.ticks_diff)

    async def open(self) -> None:
        """Open a local port. Success does not mean that the server answers. Raises LinkError."""
        await self.close()
        self._message_id = int.from_bytes(self._entropy.random_bytes(2), "big")
        self._datagram = await self._network.open_udp(self._peer.host, self._peer.port)

    async def freshness(self, request: bytes) -> bytes:
        """Return the tracker's answer to `request`, in one datagram. Raises LinkError and its subclasses."""
        return await self._post("fresh", request)

    async def keyset(self) -> "bytes | None":
        """Return the newest key set, None if the server has none."""
        return await self._optional("keyset", limits.KEYSET_BYTES)

    async def envelope(self) -> "bytes | None":
        """Return the newest envelope, None if the server has none."""
        return await self._optional("manifest", limits.ENVELOPE_BYTES)

    async def support(self) -> "bytes | None":
        """Return the newest support record, None if the server has none."""
        return await self._optional("support", limits.RECORD_BYTES)

    async def contact(self) -> "bytes | None":
        """Return the newest security contact, None if the server has none."""
        return await self._optional("contact", limits.RECORD_BYTES)

    async def object(self, digest: bytes, size: int) -> bytearray:
        """Return the object with this SHA-256. Raises LimitError, PeerRefusedError (4.04), LinkError."""
        if size > limits.CHUNK_LIST_BYTES:
            raise LimitError(what="object", limit=limits.CHUNK_LIST_BYTES)
        path = self._class_path + _uri("o", digest.hex())
        body = bytearray(size)
        await self._fill(path, coap.start_transfer(0, None, size), memoryview(body))
        return body

    def plan(self, digest: bytes, size: int, chunk_digests: "Digests", wanted: "Iterable[int]") -> None:
        """Let chunk() read the payload with this SHA-256 from now on, in any order."""
        self._plan = _Plan(self._class_path + _uri("o", digest.hex()), size, None)

    async def chunk(self, index: int) -> memoryview:
        """Return chunk `index` of the planned payload, fetched from its first block on. Valid until the next call."""
        plan = self._plan
        if plan is None:
            raise LinkError(reason="no payload planned")
        start = index * limits.CHUNK_BYTES
        end = min(start + limits.CHUNK_BYTES, plan.size)
        transfer = coap.Transfer(start, end, limits.COAP_BLOCK_BYTES, plan.etag, plan.size)
        into = memoryview(self._buffer)[: limits.CHUNK_BYTES]
        return into[: await self._fill(plan.path, transfer, into)]

    async def report(self, report: bytes) -> None:
        """Send a report to the server."""
        await self._post("report", report)

    async def close(self) -> None:
        """Close the local port; raises nothing."""
        if self._datagram is not None:
            self._datagram.close()
        self._datagram = None
        self._plan = None

    # --- requests ------------------------------------------------------------------------------------
    async def _optional(self, name: str, limit: int) -> "bytes | None":
        try:
            return await self._get(self._class_path + _uri(name), coap.start_transfer(0, None), limit)
        except PeerRefusedError as error:
            if error.fields["status"] == coap.code_text(coap.NOT_FOUND):
                return None
            raise

    async def _post(self, name: str, payload: bytes) -> bytes:
        response = await self._request(coap.POST, _uri("fb", name), payload)
        if response.code != coap.CHANGED:
            raise PeerRefusedError(status=coap.code_text(response.code))
        coap.check_options(response.options, coap.RESPONSE_OPTIONS)
        if coap.find_option(response, coap.BLOCK2) not in (None, coap.encode_block(0, False, 1024)):
            raise ProtocolError(reason="answer in several blocks")
        return bytes(response.payload)

    async def _get(self, path: "Options", transfer: coap.Transfer, limit: int) -> bytes:
        body: "list[bytes]" = []  # joined at the end: a body that grows needs a large free block for each step
        length = 0
        is_more = True
        while is_more:
            response = await self._request(coap.GET, path + (coap.next_block(transfer),), b"")
            transfer, payload, is_more = coap.accept_block(transfer, response)
            body.append(payload)
            length += len(payload)
            if length > limit:
                raise LimitError(what="CoAP body", limit=limit)
        return b"".join(body)

    async def _fill(self, path: "Options", transfer: coap.Transfer, into: memoryview) -> int:
        """Write a body into `into`, from its start; return its length in bytes. Raises LimitError if it is longer."""
        length = 0
        is_more = True
        while is_more:
            response = await self._request(coap.GET, path + (coap.next_block(transfer),), b"")
            transfer, payload, is_more = coap.accept_block(transfer, response)
            end = length + len(payload)
            if end > len(into):
                raise LimitError(what="CoAP body", limit=len(into))
            into[length:end] = payload
            length = end
        if self._plan is not None and path == self._plan.path:
            self._plan = _Plan(path, self._plan.size, transfer.etag)
        return length

    async def _request(self, code: int, options: "Options", payload: bytes) -> coap.Message:
        """Return the protected answer to one request; an Echo challenge is answered once (rule 2)."""
        inner = options
        for _ in range(2):
            response = await self._exchange(code, inner, payload)
            if response.code != coap.UNAUTHORIZED:
                return response
            echo = coap.find_option(response, coap.ECHO)
            if echo is None:
                return response
            inner = options + ((coap.ECHO, echo),)
        raise PeerRefusedError(status="4.01 after Echo")

    async def _exchange(self, code: int, options: "Options", payload: bytes) -> coap.Message:
        """Return the protected answer to one request. Raises PeerRefusedError for an unprotected one."""
        for is_last in (False, True):
            response, protected = await self._send_once(code, options, payload)
            if protected is not None:
                return protected
            if response.code != coap.UNAUTHORIZED or is_last:  # rule 6
                break
        # RFC 8613 8.2: a server cannot protect errors that it finds before decryption.
        raise PeerRefusedError(status=coap.code_text(response.code) + " unprotected")

    async def _send_once(
        self, code: int, options: "Options", payload: bytes
    ) -> "tuple[coap.Message, coap.Message | None]":
        """Send one request under a new number. Return its answer, and what that protects (None: unprotected)."""
        wait_ms = self.probing.wait_ms(self._clock.ticks_ms())
        if wait_ms:  # rule 5
            raise LinkTimeoutError(reason="server did not respond, waiting", wait_s=(wait_ms + 999) // 1000)
        self._message_id = (self._message_id + 1) & 0xFFFF
        token = self._entropy.random_bytes(4)
        message = coap.Message(coap.CON, code, self._message_id, token, options, payload)
        data, binding = oscore.seal(self._context, message, self._sequence.take())
        response = await self._drive(message, data)
        return response, oscore.unprotect(self._context, binding, response)

    async def _drive(self, request: coap.Message, data: bytes) -> coap.Message:
        """Run one exchange on the socket: `data` is the protected request."""
        exchange = coap.exchange(request, self._entropy.random_bytes(1)[0], data)
        begun_ms = last_ms = self._clock.ticks_ms()
        sent_bytes = 0
        try:
            effect = next(exchange)
            while True:
                if isinstance(effect, coap.Send):
                    sent_bytes += len(effect.data)
                datagram = await self._perform(effect)
                now_ms = self._clock.ticks_ms()
                effect = exchange.send((self._clock.ticks_diff(now_ms, last_ms), datagram))
                last_ms = now_ms
        except StopIteration as stop:
            self.probing.answered()
            return stop.value  # type: ignore[no-any-return]
        except LinkTimeoutError as error:
            if error.fields.get("reason") == coap.NO_RESPONSE:
                self.probing.unanswered(begun_ms, sent_bytes)
            raise
        finally:
            exchange.close()

    async def _perform(self, effect: "coap.Send | coap.Receive") -> "bytes | None":
        if self._datagram is None:
            raise LinkError(reason="not open")
        try:
            if isinstance(effect, coap.Send):
                await self._datagram.send(effect.data)
            else:
                return await self._datagram.receive(effect.timeout_ms)
        except LinkError:  # rule 4
            if isinstance(effect, coap.Receive):
                await sleep_ms(effect.timeout_ms)
        return None

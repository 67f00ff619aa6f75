"""Servers in memory for a simulated device: a broker, and a CoAP server with OSCORE. For campaigns and benchmarks.

They keep the rules that a device relies on (retained messages, replay window, Echo) and are quick; tests/interop checks
that real servers keep them too. Both take the same content: `published`, by topic below the class ("manifest",
"support", "o/SHA256"), and a tracker that answers freshness requests.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from device import limits
from device.crypto import backend
from device.net import coap, mqtt, oscore
from provisioning.release.release import Release

Answer = Callable[[bytes], bytes | None]  # a freshness request -> the signed record, None for silence


@dataclass
class Content:
    """The objects published for one class, and the reports of devices. `freshness` answers their requests."""

    class_id: bytes
    freshness: Answer
    on_report: Callable[[bytes], None] = lambda report: None
    published: dict[str, bytes] = field(default_factory=dict)

    def put_release(self, release: Release) -> None:
        """Publish as MQTT wants it (chunks) and as CoAP does (payload)."""
        for digest, data in (release.small_objects() | release.whole_objects()).items():
            self.published["o/" + digest.hex()] = data
        self.published["manifest"] = release.envelope

    @property
    def class_name(self) -> str:
        """Return the class id in hex, as in topics and paths."""
        return hexlify(self.class_id).decode()


class MemoryBroker:
    """MQTT 3.1.1 for clients that follow it; a StreamPeer. A message without a subscriber is retained."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.subscriptions = 0  # topics asked for so far

    def connect(self, send: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Accept a client; return the handler of the bytes that it sends."""
        return _Client(self, send).feed


class MqttLink:
    """One client's connection to a broker in memory: takes whole packets out of what the client sends."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes of the client, and handle each packet that they complete."""
        self._buffer += data
        while (packet := _take_packet(self._buffer)) is not None:
            self._handle(*packet)

    def _handle(self, first: int, body: bytes) -> None:
        raise NotImplementedError


class _Client(MqttLink):
    def __init__(self, broker: MemoryBroker, send: Callable[[bytes], None]) -> None:
        super().__init__(send)
        self._broker = broker

    def _handle(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == mqtt.CONNECT:
            self._send(b"\x20\x02\x00\x00")
        elif kind == mqtt.SUBSCRIBE:
            self._subscribe(body)
        elif kind == mqtt.UNSUBSCRIBE:
            self._send(b"\xb0\x02" + body[:2])
        elif kind == mqtt.PUBLISH:
            self._publish(body)
        elif kind == mqtt.PINGREQ:
            self._send(b"\xd0\x00")

    def _subscribe(self, body: bytes) -> None:
        topics, at = [], 2
        while at < len(body):
            end = at + 2 + int.from_bytes(body[at : at + 2], "big")
            topics.append((body[at + 2 : end].decode(), body[end]))
            at = end + 1
        codes = bytes(qos for _, qos in topics)
        self._send(b"\x90" + bytes((2 + len(codes),)) + body[:2] + codes)
        self._broker.subscriptions += len(topics)
        prefix = f"fb/{self._broker.content.class_name}/"
        for topic, _ in topics:
            data = self._broker.content.published.get(topic.removeprefix(prefix))
            if topic.startswith(prefix) and data is not None:
                self._send(mqtt.encode_publish(topic, data, is_retained=True))

    def _publish(self, body: bytes) -> None:
        end = 2 + int.from_bytes(body[:2], "big")
        topic, payload = body[2:end].decode(), body[end + 2 :]
        self._send(b"\x40\x02" + body[end : end + 2])
        content = self._broker.content
        if topic.endswith("/fresh/req"):
            record = content.freshness(payload)
            if record is not None:
                self._send(mqtt.encode_publish(topic.removesuffix("/req"), record))
        elif topic.endswith("/report"):
            content.on_report(payload)


def _take_packet(buffer: bytearray) -> tuple[int, bytes] | None:
    """Remove the first whole MQTT packet from `buffer`; return its first byte and its body, or None."""
    length = shift = 0
    for at in range(1, len(buffer)):
        length |= (buffer[at] & 0x7F) << shift
        shift += 7
        if not buffer[at] & 0x80:
            end = at + 1 + length
            if len(buffer) < end:
                return None
            first, body = buffer[0], bytes(buffer[at + 1 : end])
            del buffer[:end]
            return first, body
    return None


@dataclass
class MemoryCoapServer:
    """The resources of docs/reference/topics.md over OSCORE, for one device; a DatagramPeer.

    `seen` is the replay window: a number that was used for other bytes is kept in `reused`. `needs_echo`: the
    server was started after the device, so the first request is challenged (RFC 8613 B.1.2).
    """

    content: Content
    credentials: oscore.Credentials
    needs_echo: bool = True
    seen: dict[int, bytes] = field(default_factory=dict)  # sequence number -> SHA-256 of the ciphertext
    on_number: Callable[[int, bytes], None] = lambda number, digest: None
    reused: list[int] = field(default_factory=list)
    echo: bytes = b"echo-by-test"
    _answers: dict[bytes, bytes] = field(default_factory=dict)  # request -> answer, for retransmissions

    def __post_init__(self) -> None:
        self._context = oscore.derive(*self.credentials)

    def datagram(self, data: bytes) -> list[bytes]:
        """Return the answer to one request; a retransmission gets the same one again (RFC 7252 4.5)."""
        known = self._answers.get(data)
        if known is not None:
            return [known]
        outer = coap.decode(data)
        value = oscore.decode_option(coap.find_option(outer, coap.OSCORE) or b"")
        number, digest = int.from_bytes(value.partial_iv, "big"), sha256(outer.payload).digest()
        self.on_number(number, digest)
        if self.seen.setdefault(number, digest) != digest:
            self.reused.append(number)
        nonce = oscore.nonce(self._context.common_iv, value.kid or b"", value.partial_iv)
        aad = oscore.additional_data(value.kid or b"", value.partial_iv)
        plain = backend.aes_ccm_decrypt(self._context.sender_key, nonce, aad, outer.payload, 8)
        code, options, payload = self._serve(plain)
        inner = bytes((code,)) + coap.encode_options(options) + (b"\xff" + payload if payload else b"")
        sealed = backend.aes_ccm_encrypt(self._context.recipient_key, nonce, aad, inner, 8)
        answer = coap.encode(
            coap.Message(coap.ACK, coap.CHANGED, outer.message_id, outer.token, ((coap.OSCORE, b""),), sealed)
        )
        self._answers[data] = answer
        while len(self._answers) > 8:
            del self._answers[next(iter(self._answers))]
        return [answer]

    def _serve(self, plain: bytes) -> tuple[int, tuple[tuple[int, bytes], ...], bytes]:
        options, payload = coap.decode_options(plain, 1)
        request = coap.Message(coap.CON, plain[0], 0, b"", options, payload)
        if self.needs_echo:
            if coap.find_option(request, coap.ECHO) != self.echo:
                return coap.UNAUTHORIZED, ((coap.ECHO, self.echo),), b""
            self.needs_echo = False
        path = [value.decode() for number, value in options if number == coap.URI_PATH]
        if path == ["fb", "fresh"]:
            record = self.content.freshness(bytes(payload))
            return (coap.CHANGED, (), record) if record is not None else (coap.NOT_FOUND, (), b"")
        if path == ["fb", "report"]:
            self.content.on_report(bytes(payload))
            return coap.CHANGED, (), b""
        return self._get(request, "/".join(path[2:]))

    def _get(self, request: coap.Message, name: str) -> tuple[int, tuple[tuple[int, bytes], ...], bytes]:
        body = self.content.published.get(name)
        if body is None:
            return coap.NOT_FOUND, (), b""
        option = coap.find_option(request, coap.BLOCK2)
        block = coap.decode_block(option) if option is not None else coap.Block(0, False, 1024)
        size = min(block.size, limits.COAP_BLOCK_BYTES)
        start = block.number * size
        is_more = start + size < len(body)
        options = (
            (coap.ETAG, sha256(body).digest()[:8]),
            (coap.BLOCK2, coap.encode_block(block.number, is_more, size)),
            (coap.SIZE2, coap.encode_uint(len(body))),
        )
        return coap.CONTENT, options, body[start : start + size]

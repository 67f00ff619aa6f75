"""MQTT 3.1.1 packets of a client: bytes in, packets out, no I/O.

Rules:
1. A packet longer than limits.MQTT_PACKET_BYTES is refused at its length field, before its content is stored.
2. Flags, lengths and return codes that the standard does not allow are refused, never skipped.
3. Only packets that a server may send are decoded. QoS 2 is not offered, so it is refused.
4. Topics are exact names: this client never subscribes to a wildcard.

Source: OASIS MQTT Version 3.1.1 (section numbers are next to the checks).
"""

from collections import namedtuple

from device import limits
from device.compat import const, decode_utf8
from device.errors import LimitError, ProtocolError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Generator, Sequence

# 2.2.1 control packet types
CONNECT = const(1)
CONNACK = const(2)
PUBLISH = const(3)
PUBACK = const(4)
SUBSCRIBE = const(8)
SUBACK = const(9)
UNSUBSCRIBE = const(10)
UNSUBACK = const(11)
PINGREQ = const(12)
PINGRESP = const(13)
DISCONNECT = const(14)

SUBSCRIBE_REFUSED = const(0x80)  # 3.9.3
LAST_REFUSAL = const(5)  # 3.2.2.3: return codes of CONNACK

Connack = namedtuple("Connack", ("is_session_present", "code"))
Publish = namedtuple("Publish", ("topic", "payload", "qos", "packet_id", "is_retained", "is_duplicate"))
Puback = namedtuple("Puback", ("packet_id",))
Suback = namedtuple("Suback", ("packet_id", "codes"))
Unsuback = namedtuple("Unsuback", ("packet_id",))
Pingresp = namedtuple("Pingresp", ())

# What CONNECT may carry. Login: user name and password, a secret; Will: published by the server if the link breaks.
Login = namedtuple("Login", ("user", "password"))
Will = namedtuple("Will", ("topic", "payload"))


# --- encoding ----------------------------------------------------------------------------------------
def _text(value: str) -> bytes:
    return _bytes(value.encode("utf-8"))


def _bytes(data: bytes) -> bytes:
    if len(data) > 0xFFFF:  # 1.5.3
        raise LimitError(what="MQTT text", limit=0xFFFF)
    return len(data).to_bytes(2, "big") + data


def _topic(value: str) -> bytes:
    if not value or "+" in value or "#" in value or "\x00" in value:  # 3.3.2.1, and rule 4
        raise ProtocolError(reason="topic")
    return _text(value)


def _packet_id(value: int) -> bytes:
    if not 1 <= value <= 0xFFFF:  # 2.3.1
        raise ProtocolError(reason="packet identifier")
    return value.to_bytes(2, "big")


def _remaining_length(length: int) -> bytes:
    out = bytearray()
    while True:  # 2.2.3
        length, digit = length >> 7, length & 0x7F
        out.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(out)


def _packet(kind: int, flags: int, body: bytes) -> bytes:
    if len(body) > limits.MQTT_PACKET_BYTES:
        raise LimitError(what="MQTT packet", limit=limits.MQTT_PACKET_BYTES)
    return bytes((kind << 4 | flags,)) + _remaining_length(len(body)) + body


def encode_connect(
    client_id: str, keep_alive_s: int, login: "Login | None" = None, will: "Will | None" = None
) -> bytes:
    """Return CONNECT of a clean session. Without `login` TLS identifies the unit.

    The will is retained, at QoS 1.
    """
    flags = 2  # 3.1.2.4 clean session
    payload = _text(client_id)  # 3.1.3: identifier, will, user name, password
    if will is not None:
        flags |= 0x2C
        payload += _topic(will.topic) + _bytes(will.payload)
    if login is not None:
        flags |= 0xC0
        payload += _text(login.user) + _text(login.password)
    header = _text("MQTT") + bytes((4, flags)) + keep_alive_s.to_bytes(2, "big")  # 3.1.2.2: level 4
    return _packet(CONNECT, 0, header + payload)


def encode_publish(
    topic: str, payload: bytes, *, packet_id: int = 0, is_retained: bool = False, is_duplicate: bool = False
) -> bytes:
    """Return PUBLISH: at QoS 1 if a packet id is given, else at QoS 0."""
    flags = (8 if is_duplicate else 0) | (2 if packet_id else 0) | (1 if is_retained else 0)
    return _packet(PUBLISH, flags, _topic(topic) + (_packet_id(packet_id) if packet_id else b"") + payload)


def encode_subscribe(packet_id: int, topics: "Sequence[str]", qos: int) -> bytes:
    """Return SUBSCRIBE to exact topics, all at one QoS (0 or 1)."""
    if not topics or not 0 <= qos <= 1:  # 3.8.3-3
        raise ProtocolError(reason="subscription")
    body = _packet_id(packet_id)
    for topic in topics:
        body += _topic(topic) + bytes((qos,))
    return _packet(SUBSCRIBE, 2, body)


def encode_unsubscribe(packet_id: int, topics: "Sequence[str]") -> bytes:
    if not topics:  # 3.10.3-2
        raise ProtocolError(reason="subscription")
    body = _packet_id(packet_id)
    for topic in topics:
        body += _topic(topic)
    return _packet(UNSUBSCRIBE, 2, body)


def encode_puback(packet_id: int) -> bytes:
    return _packet(PUBACK, 0, _packet_id(packet_id))


def encode_pingreq() -> bytes:
    return _packet(PINGREQ, 0, b"")


def encode_disconnect() -> bytes:
    return _packet(DISCONNECT, 0, b"")


# --- decoding ----------------------------------------------------------------------------------------
def _identifier(body: "bytes | memoryview", offset: int) -> int:
    if len(body) < offset + 2:
        raise ProtocolError(reason="short packet")
    packet_id = int.from_bytes(body[offset : offset + 2], "big")
    if packet_id == 0:  # 2.3.1-1
        raise ProtocolError(reason="packet identifier 0")
    return packet_id


def _decode_connack(flags: int, body: "bytes | memoryview") -> Connack:
    if flags or len(body) != 2 or body[0] > 1 or body[1] > LAST_REFUSAL:  # 3.2.2
        raise ProtocolError(reason="CONNACK")
    if body[0] and body[1]:  # 3.2.2-4
        raise ProtocolError(reason="CONNACK session present in a refusal")
    return Connack(body[0] == 1, body[1])


def _decode_publish(flags: int, body: "bytes | memoryview") -> Publish:
    qos = (flags >> 1) & 3
    if qos > 1 or (flags & 8 and not qos):  # 3.3.1-4, 3.3.1-2, rule 3
        raise ProtocolError(reason="PUBLISH flags")
    if len(body) < 2:
        raise ProtocolError(reason="short packet")
    end = 2 + int.from_bytes(body[:2], "big")
    if end > len(body):
        raise ProtocolError(reason="short packet")
    try:
        topic = decode_utf8(body[2:end])
    except ValueError:
        raise ProtocolError(reason="topic is not UTF-8")
    if not topic or "+" in topic or "#" in topic or "\x00" in topic:  # 3.3.2-2
        raise ProtocolError(reason="topic")
    packet_id = 0
    if qos:
        packet_id = _identifier(body, end)
        end += 2
    return Publish(topic, body[end:], qos, packet_id, bool(flags & 1), bool(flags & 8))


def _decode_suback(flags: int, body: "bytes | memoryview") -> Suback:
    packet_id = _identifier(body, 0)
    codes = bytes(body[2:])
    if flags or not codes:
        raise ProtocolError(reason="SUBACK")
    for code in codes:
        if code not in (0, 1, SUBSCRIBE_REFUSED):  # 3.9.3-2; QoS 2 was never requested
            raise ProtocolError(reason="SUBACK code")
    return Suback(packet_id, codes)


def _bare_identifier(flags: int, body: "bytes | memoryview", name: str) -> int:
    if flags or len(body) != 2:
        raise ProtocolError(reason=name)
    return _identifier(body, 0)


def _decode(first: int, body: "bytes | memoryview") -> object:
    kind, flags = first >> 4, first & 15
    if kind == PUBLISH:
        return _decode_publish(flags, body)
    if kind == CONNACK:
        return _decode_connack(flags, body)
    if kind == SUBACK:
        return _decode_suback(flags, body)
    if kind == PUBACK:
        return Puback(_bare_identifier(flags, body, "PUBACK"))
    if kind == UNSUBACK:
        return Unsuback(_bare_identifier(flags, body, "UNSUBACK"))
    if kind == PINGRESP:
        if flags or body:
            raise ProtocolError(reason="PINGRESP")
        return Pingresp()
    raise ProtocolError(reason="packet type", type=kind)


class Parser:
    """Splits a byte stream into packets; stores at most one unfinished packet of limited size."""

    def __init__(self, limit: int = limits.MQTT_PACKET_BYTES, buffer: "bytearray | None" = None) -> None:
        """`buffer` is used again for every body that fits: a heap that is old need not find a large block for each."""
        self._limit = limit
        self._first = 0
        self._length = 0
        self._length_bytes = -1  # -1: the next byte is the type
        self._body: "bytearray | None" = None
        self._filled = 0
        self._buffer = bytearray() if buffer is None else buffer
        self.is_shared = False  # whether the last packet was read into `buffer`

    def feed(self, data: bytes) -> "list[object]":
        """Return the packets that `data` completes, in order. Raises ProtocolError, LimitError.

        A parser with a buffer cannot keep several payloads: use packets().
        """
        return list(self.packets(data))

    def packets(self, data: bytes) -> "Generator[object, None, None]":
        """Yield what feed() returns. With a buffer a payload is a memoryview; if `is_shared`, only until the next one.

        Without a buffer a payload is bytes.
        """
        view = memoryview(data)
        offset = 0
        while offset < len(view):
            if self._body is None:
                self._header_byte(view[offset])
                offset += 1
            else:
                count = min(len(view) - offset, self._length - self._filled)
                self._body[self._filled : self._filled + count] = view[offset : offset + count]
                self._filled += count
                offset += count
            if self._body is not None and self._filled == self._length:
                body, self._body, self._length_bytes = self._body, None, -1
                self.is_shared = body is self._buffer
                if len(self._buffer):
                    yield _decode(self._first, memoryview(body)[: self._length])
                else:
                    yield _decode(self._first, bytes(body))

    @property
    def arriving_bytes(self) -> int:
        """Return how many bytes of the unfinished packet's body have arrived."""
        return 0 if self._body is None else self._filled

    def _header_byte(self, byte: int) -> None:
        if self._length_bytes < 0:
            self._first, self._length, self._length_bytes = byte, 0, 0
            return
        self._length |= (byte & 0x7F) << (7 * self._length_bytes)
        self._length_bytes += 1
        if self._length > self._limit:
            raise LimitError(what="MQTT packet", limit=self._limit)
        if byte & 0x80:
            if self._length_bytes == 4:  # 2.2.3
                raise ProtocolError(reason="remaining length")
            return
        is_enough = 0 < self._length <= len(self._buffer)
        self._body, self._filled = self._buffer if is_enough else bytearray(self._length), 0

"""The client's side of one MQTT 3.1.1 connection: requests, their answers, and subscribed topics. No I/O.

Rules:
1. An answer must belong to an open request of its kind. Any other answer ends the connection (OASIS MQTT 3.1.1, 2.3.1).
2. Only messages of topics that are subscribed to now are reported. Others are dropped and counted; too many of them
   end the connection.
3. There are at most limits.MQTT_OPEN_REQUESTS open requests.
"""

from collections import namedtuple

from device import limits
from device.compat import const
from device.errors import PeerRefusedError, ProtocolError
from device.net import mqtt

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Generator, Sequence

    from device.net.mqtt import Login, Will

# What Session.feed() reports.
Connected = namedtuple("Connected", ())
Message = namedtuple("Message", ("topic", "payload", "is_retained"))
Acknowledged = namedtuple("Acknowledged", ("packet_id",))
Subscribed = namedtuple("Subscribed", ("packet_id", "refused"))  # refused: topics the server denied
Unsubscribed = namedtuple("Unsubscribed", ())
Pong = namedtuple("Pong", ())

# 3.2.2.3: why a server refuses a connection.
_REFUSALS = ("protocol version", "identifier", "unavailable", "user name or password", "not authorised")


class Session:
    """The state of one connection. Methods return the bytes to send; `feed` returns events.

    More than limits.MQTT_STRAY_MESSAGES messages in a row that were not subscribed to end the connection: the server
    floods the unit. Raises ProtocolError, LimitError, PeerRefusedError.
    """

    def __init__(
        self,
        client_id: str,
        keep_alive_s: int = limits.MQTT_KEEP_ALIVE_S,
        buffer: "bytearray | None" = None,
        packet_bytes: int = limits.MQTT_PACKET_BYTES,
    ) -> None:
        """`packet_bytes`: of the longest packet that the server may send."""
        self._client_id = client_id
        self._keep_alive_s = keep_alive_s
        self._parser = mqtt.Parser(packet_bytes, buffer)
        self._last_id = 0
        self._topics: "dict[str, int]" = {}
        self._waiting: "dict[int, tuple[int, tuple[str, ...]]]" = {}
        self._stray = 0
        self.stray_total = 0
        self.is_connected = False
        self._pings_sent = 0
        self.pings_answered = 0
        self.output = b""  # acknowledgements that feed() made; the driver sends and clears them

    def connect(self, login: "Login | None" = None, will: "Will | None" = None) -> bytes:
        """Return the first bytes to send; with a login they hold its password, which the session does not keep."""
        return mqtt.encode_connect(self._client_id, self._keep_alive_s, login, will)

    def subscribe(self, topics: "Sequence[str]", qos: int) -> "tuple[int, bytes]":
        """Return packet id and bytes; messages of the topics are accepted from now on."""
        packet_id = self._open(mqtt.SUBSCRIBE, tuple(topics))
        for topic in topics:
            self._topics[topic] = qos
        return packet_id, mqtt.encode_subscribe(packet_id, topics, qos)

    def unsubscribe(self, topics: "Sequence[str]") -> bytes:
        """Return the bytes to send; messages of the topics are dropped from now on and count as stray."""
        for topic in topics:
            self._topics.pop(topic, None)
        return mqtt.encode_unsubscribe(self._open(mqtt.UNSUBSCRIBE, ()), topics)

    def publish(self, topic: str, payload: bytes) -> "tuple[int, bytes]":
        """Return packet id and bytes of a QoS 1 publish."""
        packet_id = self._open(mqtt.PUBLISH, ())
        return packet_id, mqtt.encode_publish(topic, payload, packet_id=packet_id)

    def ping(self) -> "tuple[int, bytes]":
        """Return number and bytes of a PINGREQ; it is answered if `pings_answered` has reached its number."""
        self._pings_sent += 1
        return self._pings_sent, mqtt.encode_pingreq()

    @property
    def is_ping_open(self) -> bool:
        """Return whether a PINGREQ is not answered yet."""
        return self.pings_answered < self._pings_sent

    @property
    def arriving_bytes(self) -> int:
        """Return how many bytes of an unfinished packet have arrived."""
        return self._parser.arriving_bytes

    def is_open(self, packet_id: int) -> bool:
        """Return whether the request with this id is not answered yet."""
        return packet_id in self._waiting

    def feed(self, data: bytes) -> "list[object]":
        """Return the events that `data` completes: Connected, Subscribed, Unsubscribed, Acknowledged, Pong, Message."""
        return list(self.events(data))

    def events(self, data: bytes) -> "Generator[object, None, None]":
        """Yield what feed() returns. With a buffer a payload may be valid only until the next event (is_shared)."""
        for packet in self._parser.packets(data):
            event = self._handle(packet)
            if event is not None:
                yield event

    @property
    def is_shared(self) -> bool:
        """Return whether the payload of the last Message is in the session's buffer."""
        return self._parser.is_shared

    def _open(self, kind: int, topics: "tuple[str, ...]") -> int:
        # 2.3.1-2: an identifier in use must not be used again.
        for _ in range(len(self._waiting) + 1):
            self._last_id = self._last_id % 0xFFFF + 1
            if self._last_id not in self._waiting:
                break
        if len(self._waiting) >= limits.MQTT_OPEN_REQUESTS:
            raise ProtocolError(reason="too many unanswered requests")
        self._waiting[self._last_id] = (kind, topics)
        return self._last_id

    def _close(self, kind: int, packet_id: int) -> "tuple[str, ...]":
        waiting = self._waiting.get(packet_id)
        if waiting is None or waiting[0] != kind:
            raise ProtocolError(reason="answer without a request")
        del self._waiting[packet_id]
        return waiting[1]

    def _handle(self, packet: object) -> object:
        if isinstance(packet, mqtt.Connack):
            return self._connack(packet)
        if not self.is_connected:  # 3.2.0-1: CONNACK comes first
            raise ProtocolError(reason="packet before CONNACK")
        if isinstance(packet, mqtt.Publish):
            return self._publish(packet)
        if isinstance(packet, mqtt.Puback):
            self._close(mqtt.PUBLISH, packet.packet_id)
            return Acknowledged(packet.packet_id)
        if isinstance(packet, mqtt.Suback):
            return self._suback(packet)
        if isinstance(packet, mqtt.Unsuback):
            self._close(mqtt.UNSUBSCRIBE, packet.packet_id)
            return Unsubscribed()
        if not self.is_ping_open:
            raise ProtocolError(reason="answer without a request")
        self.pings_answered += 1
        return Pong()

    def _connack(self, packet: mqtt.Connack) -> object:
        if self.is_connected:  # 3.2
            raise ProtocolError(reason="second CONNACK")
        if packet.code:
            raise PeerRefusedError(status="MQTT " + _REFUSALS[packet.code - 1])
        if packet.is_session_present:  # 3.2.2-1: the unit requested a clean session
            raise ProtocolError(reason="session present")
        self.is_connected = True
        return Connected()

    def _suback(self, packet: mqtt.Suback) -> object:
        topics = self._close(mqtt.SUBSCRIBE, packet.packet_id)
        if len(topics) != len(packet.codes):  # 3.8.4-5
            raise ProtocolError(reason="SUBACK length")
        refused = []
        for index, topic in enumerate(topics):
            code = packet.codes[index]
            if code != mqtt.SUBSCRIBE_REFUSED and code > self._topics.get(topic, code):
                raise ProtocolError(reason="QoS above the requested one")
            if code == mqtt.SUBSCRIBE_REFUSED:
                refused.append(topic)
                self._topics.pop(topic, None)
        return Subscribed(packet.packet_id, tuple(refused))

    def _publish(self, packet: mqtt.Publish) -> object:
        qos = self._topics.get(packet.topic)
        if qos is not None and packet.qos > qos:  # 3.8.4-6
            raise ProtocolError(reason="QoS above the one granted")
        if packet.qos:
            self.output += mqtt.encode_puback(packet.packet_id)
        if qos is None:
            self._stray += 1
            self.stray_total += 1
            if self._stray > limits.MQTT_STRAY_MESSAGES:
                raise ProtocolError(reason="unrequested messages")
            return None
        self._stray = 0
        return Message(packet.topic, packet.payload, packet.is_retained)

"""Releases over MQTT 3.1.1 and TLS: the topics of docs/reference/topics.md, from any standard broker.

Rules:
1. The broker is not trusted. Only subscribed topics are accepted, each with a limit on its size. The policy checks the
   content.
2. The TLS client certificate identifies the unit; there is no password (PW-17).
3. Every wait ends with LinkTimeoutError after limits.REPLY_TIMEOUT_S without progress (device/transport/patience.py).
   The bytes of an answer that arrives are progress, so a slow link does not time out.
4. A topic never counts as empty because time passed. A broker sends a retained message before it answers a later
   request of the same connection. So envelope and records are None only if, after the SUBACK, a PINGRESP came and no
   message. The PINGREQ is sent after a pause, since some brokers read retained messages in a task of their own.
5. RAM holds at most limits.CHUNK_WINDOW chunks. They are copied from the buffer of the session into buffers that are
   used again: the first limits.CHUNK_WINDOW_LEAST are allocated with the source, others while there is memory.
"""

from binascii import unhexlify
from collections import namedtuple

from device import limits
from device.compat import const, free_bytes
from device.errors import FirstbootError, LimitError, LinkError, LinkTimeoutError, PeerRefusedError
from device.net import mqtt, mqtt_session
from device.transport.connection import Connection
from device.transport.patience import Patience
from device.transport.wait import within
from device.transport.window import ROOM_BYTES, Window, room_for

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable

    from device.interfaces import Clock, Digests, Network

_RETAINED_WAIT_MS = const(1000)  # from the SUBACK to the PINGREQ (rule 4)
BUFFER_BYTES = limits.CHUNK_BYTES + 128  # a chunk with its topic: class, object and digest take 106
_CLOSE_MS = const(5000)  # longer than the ports wait for the end of TLS

# The broker's address and authentication, and the certificate that the unit presents; certificates and key in DER.
MqttPeer = namedtuple("MqttPeer", ("host", "port", "tls_name", "ca_der", "cert_der", "key_der"))


class MqttSource:
    """`Source` of device/interfaces.py over a broker."""

    name = "mqtt"

    def __init__(
        self,
        network: "Network",
        clock: "Clock",
        peer: MqttPeer,
        class_id: bytes,
        device_id: bytes,
        *,
        buffer: "bytearray | None" = None,
    ) -> None:
        """`buffer` has BUFFER_BYTES; sources that are not open at the same time can share it."""
        self._network = network
        self._clock = clock
        self._peer = peer
        self._device = device_id.hex()
        self._class_topic = "fb/" + class_id.hex() + "/"
        self._device_topic = "fb/d/" + self._device + "/"
        self._link: "Connection | None" = None
        self._inbox: "dict[str, Any]" = {}
        self._bounds: "dict[str, int]" = {}
        self._window: "Window | None" = None
        self._object_topic = self._class_topic + "o/"
        self._buffer = bytearray(BUFFER_BYTES) if buffer is None else buffer  # for all connections
        self._least = [bytearray(limits.CHUNK_BYTES) for _ in range(limits.CHUNK_WINDOW_LEAST)]

    async def open(self) -> None:
        """Connect and start the session. Raises LinkError, LinkTimeoutError, ProtocolError, PeerRefusedError."""
        await self.close()
        peer = self._peer
        stream = await within(
            self._network.open_tls(
                peer.host, peer.port, peer.tls_name, peer.ca_der, peer.cert_der, peer.key_der
            ),
            limits.CONNECT_TIMEOUT_S * 1000,
            "broker does not answer",
        )
        session = mqtt_session.Session(self._device, buffer=self._buffer)
        self._link = Connection(stream, session, self._clock)
        await self._send(session.connect())
        await self._until(lambda: session.is_connected, "no CONNACK")

    async def freshness(self, request: bytes) -> bytes:
        """Return the tracker's answer to `request`. Raises LinkTimeoutError if none comes."""
        topic = self._device_topic + "fresh"
        await self._subscribe(topic, limits.RECORD_BYTES, 1)
        try:
            # An answer that arrived earlier belongs to an older nonce.
            self._inbox.pop(topic, None)
            await self._publish(topic + "/req", request)
            await self._until(lambda: topic in self._inbox, "no freshness record")
            return bytes(self._inbox.pop(topic))
        finally:
            await self._unsubscribe([topic])

    async def keyset(self) -> "bytes | None":
        """Return the retained key set, None if the broker has none (rule 4)."""
        return await self._retained(self._class_topic + "keyset", limits.KEYSET_BYTES)

    async def envelope(self) -> "bytes | None":
        """Return the retained envelope, None if the broker has none (rule 4)."""
        return await self._retained(self._class_topic + "manifest", limits.ENVELOPE_BYTES)

    async def support(self) -> "bytes | None":
        """Return the retained support record, None if the broker has none (rule 4)."""
        return await self._retained(self._class_topic + "support", limits.RECORD_BYTES)

    async def contact(self) -> "bytes | None":
        """Return the retained security contact, None if the broker has none (rule 4)."""
        return await self._retained(self._class_topic + "contact", limits.RECORD_BYTES)

    async def object(self, digest: bytes, size: int) -> "bytes | memoryview":
        """Return the retained object with this SHA-256. Raises LinkTimeoutError, LimitError."""
        if size > limits.CHUNK_LIST_BYTES:
            raise LimitError(what="object", limit=limits.CHUNK_LIST_BYTES)
        await self._leave_window()
        topic = self._object_topic + digest.hex()
        await self._subscribe(topic, limits.CHUNK_LIST_BYTES, 0)
        try:
            await self._until(lambda: topic in self._inbox, "object did not arrive")
            found: "bytes | memoryview" = self._inbox.pop(topic)
            return found
        finally:
            await self._unsubscribe([topic])

    def plan(self, digest: bytes, size: int, chunk_digests: "Digests", wanted: "Iterable[int]") -> None:
        """Let chunk() read the chunks `wanted` from now on, in this order and ahead of time."""
        self._window = None  # its chunks are not counted as used
        buffers = list(self._least)
        try:
            for _ in range(room_for(free_bytes(ROOM_BYTES)) - len(buffers)):
                buffers.append(bytearray(limits.CHUNK_BYTES))
        except MemoryError:  # the free memory is in small pieces
            pass
        self._window = Window(chunk_digests, wanted, buffers)

    async def chunk(self, index: int) -> memoryview:
        """Return the next planned chunk, valid until the next call.

        Raises LinkTimeoutError if it does not arrive, ProtocolError out of order.
        """
        window = self._window
        if window is None:
            raise LinkError(reason="no payload planned")
        window.release()
        await self._move(window)
        data = window.take(index)
        while data is None:
            await self._until(lambda: window.holds(index), "chunk did not arrive")
            data = window.take(index)
        return data

    async def report(self, report: bytes) -> None:
        """Send a report; return after the broker acknowledged it."""
        await self._publish(self._device_topic + "report", report)

    async def close(self) -> None:
        """Disconnect; raises nothing."""
        link, self._link = self._link, None
        self._window = None
        self._inbox.clear()
        self._bounds.clear()
        if link is None:
            return
        try:
            if link.is_usable and link.session.is_connected:
                await link.send(mqtt.encode_disconnect())
        except LinkError:
            pass
        try:
            await within(link.stream.close(), _CLOSE_MS, "close")
        except LinkError:
            pass

    # --- the session ---------------------------------------------------------------------------------
    def _usable(self) -> Connection:
        if self._link is None or not self._link.is_usable:
            raise LinkError(reason="not connected")
        return self._link

    async def _send(self, data: bytes) -> None:
        link = self._usable()
        try:
            await link.send(data)
        except FirstbootError:
            link.is_usable = False
            raise

    async def _step(self, timeout_ms: int) -> bool:
        """Read once. Returns whether an answer or a wanted message arrived."""
        link = self._usable()
        is_progress = False
        try:
            for event in link.session.events(await link.read(timeout_ms)):
                if isinstance(event, mqtt_session.Subscribed) and event.refused:
                    raise PeerRefusedError(status="MQTT subscription denied")
                if not isinstance(event, mqtt_session.Message) or self._accept(event, link.session.is_shared):
                    is_progress = True
            await link.acknowledge()
        except FirstbootError:
            link.is_usable = False  # the rest of the stream is not reliable
            raise
        return is_progress

    def _accept(self, message: mqtt_session.Message, is_shared: bool) -> bool:
        limit = self._bounds.get(message.topic, 0)
        if len(message.payload) > limit:
            raise LimitError(what="MQTT topic", limit=limit)
        if message.topic.startswith(self._device_topic) and message.is_retained:
            return False  # an answer to a nonce is never a retained message
        if self._window is not None and message.topic.startswith(self._object_topic):
            digest = unhexlify(message.topic[len(self._object_topic) :])
            return self._window.accept(digest, message.payload)
        self._inbox[message.topic] = bytes(message.payload) if is_shared else message.payload
        return True

    async def _until(self, is_done: "Callable[[], bool]", reason: str) -> None:
        """Read until is_done(). Raises LinkTimeoutError(reason) if nothing arrives any more (rule 3)."""
        session = self._usable().session
        patience = Patience(self._clock)
        while not is_done():
            left_ms = patience.left_ms()
            if left_ms <= 0:
                raise LinkTimeoutError(reason=reason)
            strays = session.stray_total
            is_progress = await self._step(left_ms)
            patience.note(is_progress, session.stray_total - strays, session.arriving_bytes)

    async def _settle(self, is_done: "Callable[[], bool]") -> None:
        """Read until is_done() or until nothing arrived for _RETAINED_WAIT_MS."""
        start = self._clock.ticks_ms()
        while not is_done():
            left_ms = _RETAINED_WAIT_MS - self._clock.ticks_diff(self._clock.ticks_ms(), start)
            if left_ms <= 0:
                return
            await self._step(left_ms)

    async def _move(self, window: Window) -> None:
        """Unsubscribe from finished chunks and subscribe to the next, in one TLS record. Does not wait for answers."""
        to_close, to_open = window.refill()
        session = self._usable().session
        data = b""
        if to_close:
            topics = [self._object_topic + digest.hex() for digest in to_close]
            self._forget(topics)
            data += session.unsubscribe(topics)
        if to_open:
            topics = [self._object_topic + digest.hex() for digest in to_open]
            for topic in topics:
                self._bounds[topic] = limits.CHUNK_BYTES
            data += session.subscribe(topics, 0)[1]
        if data:
            await self._send(data)

    async def _subscribe(self, topic: str, limit: int, qos: int) -> None:
        session = self._usable().session
        self._bounds[topic] = limit
        packet_id, data = session.subscribe((topic,), qos)
        await self._send(data)
        await self._until(lambda: not session.is_open(packet_id), "no SUBACK")

    def _forget(self, topics: "list[str]") -> None:
        for topic in topics:
            self._bounds.pop(topic, None)
            self._inbox.pop(topic, None)

    async def _unsubscribe(self, topics: "list[str]") -> None:
        self._forget(topics)
        if self._link is not None and self._link.is_usable:
            await self._send(self._link.session.unsubscribe(topics))

    async def _leave_window(self) -> None:
        window, self._window = self._window, None
        if window is not None:
            topics = [self._object_topic + digest.hex() for digest in window.open_digests()]
            if topics:
                await self._unsubscribe(topics)

    async def _publish(self, topic: str, payload: bytes) -> None:
        session = self._usable().session
        packet_id, data = session.publish(topic, payload)
        await self._send(data)
        await self._until(lambda: not session.is_open(packet_id), "no PUBACK")

    async def _retained(self, topic: str, limit: int) -> "bytes | None":
        """Return the retained message of `topic`, None if the broker has none (rule 4)."""
        session = self._usable().session
        await self._subscribe(topic, limit, 0)
        try:
            await self._settle(lambda: topic in self._inbox)
            if topic not in self._inbox:
                number, data = session.ping()
                await self._send(data)
                await self._until(
                    lambda: topic in self._inbox or session.pings_answered >= number, "no PINGRESP"
                )
            found = self._inbox.pop(topic, None)
            return None if found is None else bytes(found)
        finally:
            await self._unsubscribe([topic])

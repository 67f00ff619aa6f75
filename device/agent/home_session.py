"""One connection to the broker in the owner's home: its opening, what the unit publishes on it, what it takes.

Rules:
1. TLS authenticates the broker before it learns the user name, and the unit gives user name and password before it
   publishes. Until then nothing that the broker sends is accepted (device/net/mqtt_session.py).
2. The unit disconnects a broker that sends a packet above limits.HOME_PACKET_BYTES, more than HOME_COMMANDS messages a
   minute, or a flood of topics that the unit did not subscribe to. It ignores a retained command.
3. Every wait has an end: limits.REPLY_TIMEOUT_S for an answer and for a broker that does not read.
"""

from device.compat import const
from device.errors import FirstbootError, LinkTimeoutError, PeerRefusedError, ProtocolError
from device.limits import (
    CONNECT_TIMEOUT_S,
    HOME_COMMANDS,
    HOME_MINUTE_MS,
    HOME_PACKET_BYTES,
    HOME_REPEAT_MS,
    REPLY_TIMEOUT_S,
)
from device.net import home_assistant, mqtt, mqtt_session
from device.owner import home
from device.transport.connection import Connection
from device.transport.wait import within

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    from device.interfaces import Clock, Network
    from device.net.home_assistant import Facts, Unit
    from device.owner.home import Broker

_SLICE_MS = const(500)  # longest wait in which the caller does not see that it must close
_CLOSE_MS = const(2000)


class HomeSession:
    """A connection to `broker`. `hear(payload)` is called with each command. Methods raise LinkError, CodecError."""

    def __init__(
        self,
        network: "Network",
        clock: "Clock",
        unit: "Unit",
        broker: "Broker",
        hear: "Callable[[bytes], None]",
    ) -> None:
        self._network = network
        self._clock = clock
        self._unit = unit
        self._broker = broker
        self._hear = hear
        self._link: "Connection | None" = None
        self._session = mqtt_session.Session(unit.name, packet_bytes=HOME_PACKET_BYTES)
        self._sent_entities: object = None
        self._sent_states: object = None
        self._sent_ms = 0
        self._asked_ms: "int | None" = None  # since when a PINGREQ is open
        self._heard = self._heard_ms = 0

    async def open(self) -> None:
        """Connect; afterwards broker and unit have proved who they are."""
        broker, session = self._broker, self._session
        opening = self._network.open_tls(
            broker.address, broker.port, home.certificate_name(broker), broker.authority, b"", b""
        )
        stream = await within(opening, CONNECT_TIMEOUT_S * 1000, "broker does not answer")
        self._link = Connection(stream, session, self._clock)
        will = mqtt.Will(home_assistant.availability_topic(self._unit), home_assistant.OFFLINE)
        await self._link.send(session.connect(mqtt.Login(broker.user, broker.password), will))
        await self._until(lambda: session.is_connected, "no CONNACK")

    async def begin(self, facts: "Facts") -> None:
        """Publish everything, and take commands if the owner allows them. Return when the broker has read it."""
        if self._broker.may_install:
            packet_id, data = self._session.subscribe((home_assistant.command_topic(self._unit),), 0)
            await self._send(data)
            await self._until(lambda: not self._session.is_open(packet_id), "no SUBACK")
        await self.publish(facts)
        await self._retain(home_assistant.availability_topic(self._unit), home_assistant.ONLINE)
        await self.flush()

    async def publish(self, facts: "Facts") -> None:
        """Publish what changed since the last time, and the whole state once in limits.HOME_REPEAT_MS."""
        entities = (facts.sequence, [reading[:2] for reading in facts.readings])
        if entities != self._sent_entities:
            self._sent_entities = entities
            for topic, payload in home_assistant.configurations(self._unit, facts, self._broker.may_install):
                await self._retain(topic, payload)
        states = home_assistant.states(self._unit, facts)
        now_ms = self._clock.ticks_ms()
        is_due = self._clock.ticks_diff(now_ms, self._sent_ms) >= HOME_REPEAT_MS
        if states != self._sent_states or is_due:
            self._sent_states, self._sent_ms = states, now_ms
            for topic, payload in states:
                await self._retain(topic, payload)

    async def remove(self) -> None:
        """Remove everything that the unit ever publishes. Return when the broker has read it."""
        for topic, payload in home_assistant.removals(self._unit):
            await self._retain(topic, payload)
        await self.flush()

    async def flush(self) -> None:
        """Return when the broker answered a PINGREQ: it has read everything before it."""
        number, data = self._session.ping()
        await self._send(data)
        await self._until(lambda: self._session.pings_answered >= number, "no PINGRESP")

    async def listen(self) -> None:
        """Read once, for half a second at most. Raises LinkTimeoutError if the broker is gone."""
        await self._step()
        if not self._session.is_ping_open:
            self._asked_ms = None
        elif self._asked_ms is None:
            self._asked_ms = self._clock.ticks_ms()
        elif self._passed_ms(self._asked_ms) > REPLY_TIMEOUT_S * 1000:
            raise LinkTimeoutError(reason="no PINGRESP")

    async def close(self, is_well: bool) -> None:
        """Disconnect; raises nothing. Unless `is_well`, the broker publishes the will."""
        link, self._link = self._link, None
        if link is None:
            return
        try:
            if is_well and self._session.is_connected:
                await within(link.stream.write(mqtt.encode_disconnect()), _CLOSE_MS, "close")
        except FirstbootError:
            pass
        try:
            await within(link.stream.close(), _CLOSE_MS, "close")
        except FirstbootError:
            pass

    def _usable(self) -> Connection:
        if self._link is None:
            raise LinkTimeoutError(reason="closed")
        return self._link

    async def _send(self, data: bytes) -> None:
        await self._usable().send(data)

    async def _retain(self, topic: str, payload: bytes) -> None:
        await self._send(mqtt.encode_publish(topic, payload, is_retained=True))

    async def _until(self, is_done: "Callable[[], bool]", reason: str) -> None:
        begun_ms = self._clock.ticks_ms()
        while not is_done():
            if self._passed_ms(begun_ms) >= REPLY_TIMEOUT_S * 1000:
                raise LinkTimeoutError(reason=reason)
            await self._step()

    async def _step(self) -> None:
        link = self._usable()
        for event in self._session.events(await link.read(_SLICE_MS)):
            if isinstance(event, mqtt_session.Message):
                self._take(event)
            elif isinstance(event, mqtt_session.Subscribed) and event.refused:
                raise PeerRefusedError(status="MQTT subscription denied")
        await link.acknowledge()

    def _take(self, message: "mqtt_session.Message") -> None:
        now_ms = self._clock.ticks_ms()
        if self._clock.ticks_diff(now_ms, self._heard_ms) >= HOME_MINUTE_MS:
            self._heard, self._heard_ms = 0, now_ms
        self._heard += 1
        if self._heard > HOME_COMMANDS:
            raise ProtocolError(reason="too many commands")
        if not message.is_retained:
            self._hear(bytes(message.payload))

    def _passed_ms(self, since_ms: int) -> int:
        passed: int = self._clock.ticks_diff(self._clock.ticks_ms(), since_ms)
        return passed

"""MqttSource against a small test broker: its requests, the answers that it accepts, its errors."""

import asyncio
from binascii import hexlify

from device import limits
from device.errors import (
    FirstbootError,
    LimitError,
    LinkError,
    LinkTimeoutError,
    PeerRefusedError,
    ProtocolError,
)
from device.net import mqtt
from device.transport.mqtt import MqttPeer, MqttSource

CLASS_ID = b"\x01" * 16
DEVICE_ID = b"\x02" * 16
CLASS_TOPIC = "fb/" + "01" * 16 + "/"
DEVICE_TOPIC = "fb/d/" + "02" * 16 + "/"
PEER = MqttPeer("host", 8883, "name", b"ca", b"cert", b"key")


class Clock:
    """Time passes only if a test advances it or the line is empty."""

    def __init__(self):
        self.now_ms = 0

    def ticks_ms(self):
        return self.now_ms

    def ticks_diff(self, later, earlier):
        return later - earlier


class Broker:
    """Both the Network and the Stream of a source: answers requests, serves `retained`, records the packets."""

    def __init__(self, retained=None, connack=b"\x20\x02\x00\x00"):
        self.clock = Clock()
        self.retained = retained or {}
        self.connack = connack
        self.denied = ()
        self.subscribed = []
        self.published = []
        self.pings = 0
        self.is_closed = False
        self.out = b""
        self.answers = {}

    async def open_tls(self, host, port, name, ca_der, cert_der, key_der):
        assert (host, port, name, ca_der, cert_der, key_der) == tuple(PEER)
        return self

    async def read(self, limit):
        if not self.out:
            self.clock.now_ms += 20000
            raise LinkTimeoutError(reason="nothing more comes")
        data, self.out = self.out[:limit], self.out[limit:]
        return data

    async def write(self, data):
        while data:
            length, at = data[1], 2
            if length >= 128:
                length, at = (length & 127) | data[2] << 7, 3
            self._packet(data[0] >> 4, data[at : at + length])
            data = data[at + length :]

    def _packet(self, kind, body):
        if kind == mqtt.CONNECT:
            self.out += self.connack
        elif kind == mqtt.SUBSCRIBE:
            self._subscribe(body)
        elif kind == mqtt.UNSUBSCRIBE:
            self.out += b"\xb0\x02" + body[:2]
        elif kind == mqtt.PUBLISH:
            end = 2 + int.from_bytes(body[:2], "big")
            topic = body[2:end].decode()
            self.published.append((topic, bytes(body[end + 2 :])))
            self.out += b"\x40\x02" + body[end : end + 2] + self.answers.get(topic, b"")
        elif kind == mqtt.PINGREQ:
            self.pings += 1
            self.out += b"\xd0\x00"

    def _subscribe(self, body):
        topics, codes, at = [], b"", 2
        while at < len(body):
            end = at + 2 + int.from_bytes(body[at : at + 2], "big")
            topics.append(body[at + 2 : end].decode())
            codes += b"\x80" if topics[-1] in self.denied else body[end : end + 1]
            at = end + 1
        self.out += b"\x90" + bytes((2 + len(codes),)) + body[:2] + codes
        for topic in topics:
            self.subscribed.append(topic)
            if topic in self.retained:
                self.out += mqtt.encode_publish(topic, self.retained[topic], is_retained=True)

    async def close(self):
        self.is_closed = True


def make(broker):
    return MqttSource(broker, broker.clock, PEER, CLASS_ID, DEVICE_ID)


def run(broker, work):
    """Open a source, run `work(source)`, close it."""

    async def all_of_it():
        source = make(broker)
        try:
            await source.open()
            return await work(source)
        finally:
            await source.close()

    return asyncio.run(all_of_it())


def refused(error, broker, work):
    """Return the error that `work` raises; it must be of that class."""
    try:
        run(broker, work)
    except FirstbootError as seen:
        assert isinstance(seen, error), seen
        return seen
    raise AssertionError("not refused")


def topic_of(digest):
    return CLASS_TOPIC + "o/" + hexlify(digest).decode()


async def chunks(source, count):
    """Return chunks 0 to `count`; MicroPython has no `await` in a comprehension."""
    found = []
    for index in range(count):
        found.append(bytes(await source.chunk(index)))
    return found


def digests(count):
    return [bytes((index,)) * 32 for index in range(count)]


async def nothing(source):
    return None


def test_a_retained_envelope_is_given():
    broker = Broker({CLASS_TOPIC + "manifest": b"envelope"})
    assert run(broker, lambda source: source.envelope()) == b"envelope"
    assert broker.subscribed == [CLASS_TOPIC + "manifest"]
    assert broker.is_closed


def test_a_topic_without_a_retained_message_gives_none():
    assert run(Broker(), lambda source: source.support()) is None


def test_an_object_that_is_not_published_is_a_timeout():
    refused(LinkTimeoutError, Broker(), lambda source: source.object(bytes(32), 32))


def test_content_above_its_bound_is_refused():
    for name, limit in (("manifest", limits.ENVELOPE_BYTES), ("support", limits.RECORD_BYTES)):
        broker = Broker({CLASS_TOPIC + name: bytes(limit + 1)})
        work = (lambda source: source.envelope()) if name == "manifest" else (lambda source: source.support())
        refused(LimitError, broker, work)


def test_an_object_above_the_bound_is_not_asked_for():
    broker = Broker()
    refused(LimitError, broker, lambda source: source.object(bytes(32), limits.CHUNK_LIST_BYTES + 1))
    assert broker.subscribed == []


def test_a_refused_or_missing_or_broken_connack_ends_the_connection():
    refused(PeerRefusedError, Broker(connack=b"\x20\x02\x00\x05"), nothing)
    refused(LinkTimeoutError, Broker(connack=b""), nothing)
    refused(ProtocolError, Broker(connack=b"\xd0\x00"), nothing)


def test_a_denied_subscription_is_a_refusal():
    broker = Broker()
    broker.denied = (CLASS_TOPIC + "manifest",)
    refused(PeerRefusedError, broker, lambda source: source.envelope())


def test_the_end_of_the_stream_is_a_link_error():
    broker = Broker()

    async def work(source):
        async def end(limit):
            return b""

        broker.read = end
        await source.envelope()

    assert type(refused(LinkError, broker, work)) is LinkError


def test_after_an_error_the_connection_is_not_used_again():
    broker = Broker({CLASS_TOPIC + "manifest": bytes(limits.ENVELOPE_BYTES + 1)})

    async def work(source):
        try:
            await source.envelope()
        except LimitError:
            pass
        await source.report(b"x")

    refused(LinkError, broker, work)
    assert broker.published == []


def test_a_report_is_published_and_acknowledged():
    broker = Broker()
    run(broker, lambda source: source.report(b"report"))
    assert broker.published == [(DEVICE_TOPIC + "report", b"report")]


def test_the_answer_to_a_freshness_request_is_given():
    broker = Broker()
    broker.answers[DEVICE_TOPIC + "fresh/req"] = mqtt.encode_publish(DEVICE_TOPIC + "fresh", b"record")
    assert run(broker, lambda source: source.freshness(b"request")) == b"record"
    assert broker.published == [(DEVICE_TOPIC + "fresh/req", b"request")]


def test_a_retained_message_is_no_answer_to_a_nonce():
    broker = Broker({DEVICE_TOPIC + "fresh": b"old"})
    late = mqtt.encode_publish(DEVICE_TOPIC + "fresh", b"old", is_retained=True)
    broker.answers[DEVICE_TOPIC + "fresh/req"] = late
    refused(LinkTimeoutError, broker, lambda source: source.freshness(b"request"))


def test_an_answer_that_came_before_the_request_is_dropped():
    broker = Broker()
    broker.answers[DEVICE_TOPIC + "fresh/req"] = mqtt.encode_publish(DEVICE_TOPIC + "fresh", b"new")
    subscribe = broker._subscribe

    def early(body):
        subscribe(body)
        broker.out += mqtt.encode_publish(DEVICE_TOPIC + "fresh", b"early")

    broker._subscribe = early
    assert run(broker, lambda source: source.freshness(b"request")) == b"new"


def test_an_idle_connection_is_kept_alive():
    broker = Broker()

    async def work(source):
        broker.clock.now_ms += limits.MQTT_KEEP_ALIVE_S * 1000
        await source.report(b"x")
        broker.clock.now_ms += limits.MQTT_KEEP_ALIVE_S * 1000
        await source.envelope()

    broker.retained[CLASS_TOPIC + "manifest"] = b"envelope"
    run(broker, work)
    assert broker.pings == 0, "what is sent keeps the connection alive as well"
    broker = Broker({CLASS_TOPIC + "manifest": b"envelope"})

    async def waits(source):
        await source.envelope()
        broker.clock.now_ms += limits.MQTT_KEEP_ALIVE_S * 1000
        await source._step(1)

    run(broker, waits)
    assert broker.pings == 1


def test_chunks_are_asked_for_ahead_in_order_and_never_more_than_the_window():
    names = list(reversed(digests(20)))  # the order of need differs from that of the names
    broker = Broker(dict((topic_of(digest), digest) for digest in names))

    async def work(source):
        source.plan(bytes(32), 20 * 4096, names, range(20))
        for index in range(20):
            assert await source.chunk(index) == names[index]
            assert len(broker.subscribed) <= index + 1 + limits.CHUNK_WINDOW
        return list(broker.subscribed)

    assert run(broker, work) == [topic_of(digest) for digest in names]


def test_equal_chunks_are_transferred_once_while_they_are_near():
    names = [b"\xaa" * 32] * 3 + [b"\xbb" * 32] + [b"\xaa" * 32] * 12
    broker = Broker(dict((topic_of(digest), digest) for digest in names))

    async def work(source):
        source.plan(bytes(32), 16 * 4096, names, range(16))
        return await chunks(source, 16)

    assert run(broker, work) == names
    assert broker.subscribed.count(topic_of(b"\xbb" * 32)) == 1


def test_a_chunk_that_comes_up_again_later_is_asked_for_again():
    names = digests(30)
    names[25] = names[0]
    broker = Broker(dict((topic_of(digest), digest) for digest in names))

    async def work(source):
        source.plan(bytes(32), 30 * 4096, names, range(30))
        return await chunks(source, 30)

    assert run(broker, work) == names
    assert broker.subscribed.count(topic_of(names[0])) == 2


def test_chunks_out_of_plan_or_without_a_plan_are_refused():
    refused(LinkError, Broker(), lambda source: source.chunk(0))

    async def work(source):
        source.plan(bytes(32), 8192, digests(2), [0, 1])
        await source.chunk(1)

    refused(ProtocolError, Broker(), work)


def test_a_chunk_that_never_comes_ends_the_transfer():
    async def work(source):
        source.plan(bytes(32), 4096, digests(1), [0])
        await source.chunk(0)

    refused(LinkTimeoutError, Broker(), work)


def test_a_chunk_above_its_size_is_refused():
    names = digests(1)

    async def work(source):
        source.plan(bytes(32), 4096, names, [0])
        await source.chunk(0)

    refused(LimitError, Broker({topic_of(names[0]): bytes(4097)}), work)


def test_an_object_can_follow_a_transfer_that_was_left():
    names = digests(10)
    retained = dict((topic_of(digest), digest) for digest in names)

    async def work(source):
        source.plan(bytes(32), 10 * 4096, names, range(10))
        await source.chunk(0)
        return await source.object(names[0], 32)

    assert run(Broker(retained), work) == names[0]


def test_close_never_raises():
    broker = Broker()

    async def work(source):
        async def fail(data=None):
            raise LinkError(reason="gone")

        broker.write = broker.close = fail

    run(broker, work)


def test_a_closed_source_is_not_connected():
    async def work(source):
        await source.close()
        await source.envelope()

    refused(LinkError, Broker(), work)

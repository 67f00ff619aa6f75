"""A transfer over MQTT without progress ends with a typed error, whatever else the broker sends."""

import test_mqtt_source as base

from device import limits
from device.errors import LinkTimeoutError, PeerRefusedError, ProtocolError
from device.net import mqtt

NAMES = base.digests(12)


class Dripping(base.Broker):
    """A broker that answers a chunk's request with the pieces of `drip(number)` only, one second for each read."""

    def __init__(self, drip, retained=None):
        base.Broker.__init__(self, retained)
        self.drip = drip
        self.reads = 0

    async def read(self, limit):
        if self.out:
            return await base.Broker.read(self, limit)
        self.clock.now_ms += 1000
        self.reads += 1
        return self.drip(self.reads)


async def second_chunk(source):
    source.plan(bytes(32), 12 * limits.CHUNK_BYTES, NAMES, range(12))
    await source.chunk(0)
    await source.chunk(1)


def first_only():
    return {base.topic_of(NAMES[0]): b"first"}


def test_a_byte_a_second_is_no_progress():
    packet = mqtt.encode_publish(base.topic_of(NAMES[1]), bytes(4096), is_retained=True)
    broker = Dripping(lambda number: packet[number - 1 : number], first_only())
    base.refused(LinkTimeoutError, broker, second_chunk)
    assert broker.reads <= limits.REPLY_TIMEOUT_S + 1


def test_every_byte_of_a_chunk_keeps_the_wait_alive():
    """The chunk arrives in pieces every nine seconds, 31 bytes a second: 129 s in all."""
    packet = mqtt.encode_publish(base.topic_of(NAMES[1]), bytes(4000), is_retained=True)

    def piece(number):
        broker.clock.now_ms += 8000
        return packet[(number - 1) * 280 : number * 280]

    broker = Dripping(piece, first_only())
    packet_of = broker._packet  # a ping is not answered inside the chunk
    broker._packet = lambda kind, body: None if kind == mqtt.PINGREQ else packet_of(kind, body)

    async def work(source):
        source.plan(bytes(32), 12 * limits.CHUNK_BYTES, NAMES, range(12))
        await source.chunk(0)
        return bytes(await source.chunk(1))

    assert base.run(broker, work) == bytes(4000)
    assert broker.reads == (len(packet) + 279) // 280


def test_what_is_left_of_an_earlier_transfer_may_be_ahead_of_the_answer():
    """Eight chunks that are no longer wanted take 9 s each; the source still waits for the object after them."""
    left = [mqtt.encode_publish(base.topic_of(name), bytes(4096), is_retained=True) for name in NAMES[4:]]
    wanted = mqtt.encode_publish(base.topic_of(NAMES[0]), b"object", is_retained=True)

    def answer(number):
        broker.clock.now_ms += 8000
        return left[number - 1] if number <= len(left) else wanted

    broker = Dripping(answer)
    assert base.run(broker, lambda source: source.object(NAMES[0], 32)) == b"object"
    assert broker.reads == limits.CHUNK_WINDOW + 1


def test_the_same_chunk_again_and_again_is_no_progress():
    packet = mqtt.encode_publish(base.topic_of(NAMES[2]), b"third", is_retained=True)
    broker = Dripping(lambda number: packet, first_only())
    base.refused(LinkTimeoutError, broker, second_chunk)
    assert broker.reads <= 2 * (limits.REPLY_TIMEOUT_S + 1)


def test_every_other_chunk_of_the_window_is_progress_only_once():
    packets = [mqtt.encode_publish(base.topic_of(name), b"x", is_retained=True) for name in NAMES[2:]]
    broker = Dripping(lambda number: packets[number % len(packets)], first_only())
    base.refused((LinkTimeoutError, ProtocolError), broker, second_chunk)
    assert broker.reads <= limits.CHUNK_WINDOW * (limits.REPLY_TIMEOUT_S + 1)


def test_unrequested_messages_end_the_connection():
    stray = mqtt.encode_publish("fb/elsewhere", b"x")
    broker = Dripping(lambda number: stray * 10, first_only())
    base.refused(ProtocolError, broker, second_chunk)
    assert broker.reads <= limits.MQTT_STRAY_MESSAGES // 10 + 1


def test_an_answer_to_a_ping_that_was_not_sent_ends_the_connection():
    broker = Dripping(lambda number: b"\xd0\x00", first_only())
    base.refused(ProtocolError, broker, second_chunk)


def test_a_window_that_is_denied_ends_the_transfer():
    broker = base.Broker(first_only())
    broker.denied = (base.topic_of(NAMES[3]),)
    base.refused(PeerRefusedError, broker, second_chunk)


def test_a_broker_that_does_not_read_is_a_timeout():
    broker = base.Broker(first_only())

    async def stuck(data):
        raise LinkTimeoutError(reason="broker does not read")

    async def work(source):
        source.plan(bytes(32), 12 * limits.CHUNK_BYTES, NAMES, range(12))
        broker.write = stuck
        await source.chunk(0)

    base.refused(LinkTimeoutError, broker, work)

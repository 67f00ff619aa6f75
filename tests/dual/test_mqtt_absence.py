"""A retained topic counts as empty by the broker's answer, never because time passed."""

import test_mqtt_source as base

from device.errors import LinkTimeoutError
from device.net import mqtt


def test_a_topic_is_empty_only_if_the_broker_answered_a_later_request():
    broker = base.Broker()
    assert base.run(broker, lambda source: source.keyset()) is None
    assert broker.pings == 1


def test_a_broker_that_falls_silent_after_the_suback_is_a_timeout_and_never_an_empty_topic():
    for name in ("keyset", "envelope", "support", "contact"):
        broker = base.Broker()
        packet = broker._packet
        broker._packet = lambda kind, body, packet=packet: (
            None if kind == mqtt.PINGREQ else packet(kind, body)
        )
        base.refused(LinkTimeoutError, broker, lambda source, name=name: getattr(source, name)())


def test_the_answer_to_an_earlier_ping_does_not_make_a_topic_empty():
    broker = base.Broker()
    packet, late = broker._packet, []

    def answer(kind, body):
        if kind != mqtt.PINGREQ:
            return packet(kind, body)
        late.append(mqtt.encode_publish(base.CLASS_TOPIC + "keyset", b"keys", is_retained=True))
        broker.out += b"\xd0\x00" if len(late) == 1 else late[-1] + b"\xd0\x00"

    broker._packet = answer

    async def work(source):
        link = source._usable()
        await link.send(link.session.ping()[1])
        return await source.keyset()

    assert base.run(broker, work) == b"keys"

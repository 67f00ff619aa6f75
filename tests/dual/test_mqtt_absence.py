"""A retained topic counts as empty by the broker's answer, never because time passed."""

import test_mqtt_source as base

from device import limits
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


BYTES_S = 2000
NAMES = base.digests(12)


class Slow(base.Broker):
    """A broker behind a link of BYTES_S. TLS gives its bytes in records: nothing is read before a record is whole."""

    def __init__(self, record_bytes, retained):
        base.Broker.__init__(self, retained)
        self._record_bytes = record_bytes
        self._left_ms = 0  # until the record under way is whole
        self._record = self._whole = b""

    async def read(self, limit):
        if not self._whole and not self._record:
            self._record, self.out = self.out[: self._record_bytes], self.out[self._record_bytes :]
            self._left_ms = 200 + len(self._record) * 1000 // BYTES_S
        if not self._whole:
            step_ms = min(500, self._left_ms)
            self.clock.now_ms += step_ms
            self._left_ms -= step_ms
            if self._left_ms or not self._record:
                raise LinkTimeoutError(reason="no data")
            self._whole, self._record = self._record, b""
        data, self._whole = self._whole[:limit], self._whole[limit:]
        return data


def test_every_transfer_arrives_over_a_slow_link_whatever_the_size_of_its_tls_records():
    record = bytes(limits.RECORD_BYTES)
    for record_bytes in (200, 1400, 4200, 16384):
        retained = {
            base.CLASS_TOPIC + "keyset": bytes(limits.KEYSET_BYTES),
            base.CLASS_TOPIC + "manifest": bytes(limits.ENVELOPE_BYTES),
            base.CLASS_TOPIC + "support": record,
            base.CLASS_TOPIC + "contact": record,
            base.CLASS_TOPIC + "o/" + "ee" * 32: bytes(limits.CHUNK_LIST_BYTES),
        }
        for digest in NAMES:
            retained[base.topic_of(digest)] = digest * (limits.CHUNK_BYTES // 32)
        broker = Slow(record_bytes, retained)
        fresh = mqtt.encode_publish(base.DEVICE_TOPIC + "fresh", record)
        broker.answers[base.DEVICE_TOPIC + "fresh/req"] = fresh

        async def work(source):
            found = [await source.keyset(), await source.freshness(b"?"), await source.support()]
            found += [await source.contact(), await source.envelope()]
            found.append(await source.object(b"\xee" * 32, limits.CHUNK_LIST_BYTES))
            source.plan(bytes(32), 12 * limits.CHUNK_BYTES, NAMES, range(12))
            for index in range(4):  # and leave the rest of the window
                found.append(bytes(await source.chunk(index)))
            found.append(await source.object(b"\xee" * 32, limits.CHUNK_LIST_BYTES))
            await source.report(bytes(limits.REPORT_BYTES))
            return [len(one) for one in found]

        sizes = [limits.KEYSET_BYTES] + [limits.RECORD_BYTES] * 3 + [limits.ENVELOPE_BYTES]
        sizes += [limits.CHUNK_LIST_BYTES] + [limits.CHUNK_BYTES] * 4 + [limits.CHUNK_LIST_BYTES]
        assert base.run(broker, work) == sizes, record_bytes

"""The device's MQTT source, the publisher and the tracker against mosquitto and against amqtt."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable

import pytest

from device.errors import LinkError, LinkTimeoutError, PeerRefusedError
from device.net import mqtt
from device.records import freshness
from device.transport import mqtt as transport
from provisioning import fair_time
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.release.release import Release
from provisioning.release.store import PublishError
from provisioning.servers.broker import Broker
from provisioning.servers.mqtt_client import MqttClient
from provisioning.servers.tracker import MqttTracker, Newest, Tracker
from tests.interop.support.maker import CLASS_ID, NOW_S, Maker, Unit, fetch_payload, freshness_request
from tests.patience import until

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("patient_unit")]

CLASS_TOPIC = f"fb/{CLASS_ID.hex()}/"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the wait for messages that never come."""
    monkeypatch.setattr(transport, "_RETAINED_WAIT_MS", 300)


def wait_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the wait of an open source for an answer that never comes."""
    monkeypatch.setattr("device.limits.REPLY_TIMEOUT_S", 1)


def using(maker: Maker, broker: Broker, unit: Unit, work):
    """Open a source as `unit`, run `work(source)`, close it."""

    async def run():
        source = maker.mqtt_source(unit, broker.port)
        try:
            await source.open()
            return await work(source)
        finally:
            await source.close()

    return asyncio.run(run())


def publisher(maker: Maker, broker: Broker) -> MqttPublisher:
    return MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID)


def raw_publish(
    maker: Maker, broker: Broker, user: str, topic: str, payload: bytes, is_retained: bool = False
) -> None:
    """Publish as `user`; the broker acknowledges it, even if it then drops the message."""
    with MqttClient(maker.access(broker.port, user), user) as client:
        client.wait([client.publish(topic, payload, is_retained=is_retained)])


def test_a_release_travels_whole_and_in_order(maker: Maker, broker: Broker) -> None:
    release = maker.release()
    with publisher(maker, broker) as sender:
        sender.publish_release(release)

    async def work(source):
        assert await source.envelope() == release.envelope
        return await fetch_payload(source, release)

    assert using(maker, broker, maker.unit(), work) == release.payload


def test_a_transfer_continues_with_the_missing_chunks(maker: Maker, broker: Broker) -> None:
    release = maker.release()
    with publisher(maker, broker) as sender:
        sender.publish_release(release)
    wanted = [3, 4, 10, 11, 24]

    async def work(source):
        return await fetch_payload(source, release, wanted)

    expected = b"".join(release.payload[index * 4096 : (index + 1) * 4096] for index in wanted)
    assert using(maker, broker, maker.unit(), work) == expected


def test_who_connected_is_in_the_log(maker: Maker, broker: Broker) -> None:
    unit, absent = maker.unit(), maker.unit()
    using(maker, broker, unit, lambda source: source.report(b"\xa0"))
    log = broker.log_path.read_text()
    assert unit.device_id.hex() in log
    assert absent.device_id.hex() not in log


def test_what_is_not_published_is_none_or_a_timeout(
    maker: Maker, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with publisher(maker, broker) as sender:
        sender.publish_raw(CLASS_TOPIC + "support", b"")

    async def work(source):
        assert await source.support() is None
        wait_briefly(monkeypatch)
        with pytest.raises(LinkTimeoutError):
            await source.object(bytes(32), 32)
        source.plan(bytes(32), 4096, [bytes(32)], [0])
        with pytest.raises(LinkTimeoutError):
            await source.chunk(0)

    using(maker, broker, maker.unit(), work)


def test_the_broker_sends_a_retained_message_before_it_answers_a_later_ping(
    maker: Maker, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device's "nothing is published" needs this (device/transport/mqtt.py, rule 4), here without its pause."""
    monkeypatch.setattr(transport, "_RETAINED_WAIT_MS", 0)
    names = [f"{number:02d}" * 32 for number in range(20)]
    content = bytes(range(256)) * 16
    with publisher(maker, broker) as sender:
        for name in names:
            sender.publish_raw(CLASS_TOPIC + "o/" + name, content)

    async def work(source):
        for name in names:
            assert await source._retained(CLASS_TOPIC + "o/" + name, 4096) == content
            assert await source._retained(CLASS_TOPIC + "o/" + "ff" * 32, 4096) is None

    using(maker, broker, maker.unit(), work)


def test_a_support_record_is_read(maker: Maker, broker: Broker) -> None:
    with publisher(maker, broker) as sender:
        sender.publish_support(b"record")
    assert using(maker, broker, maker.unit(), lambda source: source.support()) == b"record"


def _object_names(release: Release) -> set[str]:
    return {digest.hex() for digest, _ in release.chunks()} | {release.chunk_list_digest.hex()}


def test_superseded_objects_are_removed(maker: Maker, broker: Broker) -> None:
    old, new = maker.release(20_000, 1), maker.release(20_000, 2)
    with publisher(maker, broker) as sender:
        sender.publish_release(old)
    with publisher(maker, broker) as sender:
        sender.publish_release(new)
        removed = sender.remove_superseded()
        assert CLASS_TOPIC + "o/" + old.chunk_list_digest.hex() in removed
    seen: dict[str, bytes] = {}
    is_complete = threading.Event()

    def keep(topic: str, payload: bytes) -> None:
        seen[topic] = payload
        if topic == CLASS_TOPIC + "zz":
            is_complete.set()

    access = maker.access(broker.port, "publisher")
    with MqttClient(access, "publisher", topics=(CLASS_TOPIC + "#",), on_message=keep) as client:
        client.publish(CLASS_TOPIC + "zz", b"end", is_retained=False)
        assert fair_time.wait(is_complete, 60)
    objects = {topic.rsplit("/", 1)[1] for topic, data in seen.items() if "/o/" in topic and data}
    assert objects >= _object_names(new)
    assert not objects & (_object_names(old) - _object_names(new))


def test_the_tracker_answers_with_the_nonce_and_its_time(maker: Maker, broker: Broker) -> None:
    nonce, request = freshness_request()
    with MqttTracker(maker.tracker(), maker.access(broker.port, "tracker")):
        record = using(maker, broker, maker.unit(), lambda source: source.freshness(request))
    assert maker.verify_freshness(record) == freshness.encode_payload(CLASS_ID, nonce, NOW_S, 7, 3)


def test_two_trackers_with_names_of_their_own_answer_every_request(maker: Maker, broker: Broker) -> None:
    other_class = bytes(16)
    lamps = Tracker(maker.tracker_signer, {other_class: Newest(1, 1)}, now=lambda: NOW_S)
    first = MqttTracker(maker.tracker(), maker.access(broker.port, "tracker"))
    second = MqttTracker(lamps, maker.access(broker.port, "tracker-lamps"), "tracker-lamps")
    with first, second:
        for _ in range(6):
            for class_id in (CLASS_ID, other_class):
                request = freshness_request(class_id)[1]
                assert using(
                    maker, broker, maker.unit(), lambda source, request=request: source.freshness(request)
                )
    assert first.client.problem is None and second.client.problem is None


def test_a_request_for_another_class_is_not_answered(
    maker: Maker, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, request = freshness_request(bytes(16))

    async def work(source):
        wait_briefly(monkeypatch)
        with pytest.raises(LinkTimeoutError):
            await source.freshness(request)

    with MqttTracker(maker.tracker(), maker.access(broker.port, "tracker")):
        using(maker, broker, maker.unit(), work)


def test_a_report_reaches_the_tracker_under_the_name_of_its_device(maker: Maker, broker: Broker) -> None:
    tracker, unit = maker.tracker(), maker.unit()
    arrived = threading.Event()
    tracker.on_report = lambda report: arrived.set()
    with MqttTracker(tracker, maker.access(broker.port, "tracker")):
        using(maker, broker, unit, lambda source: source.report(b"\xa1\x01\x02"))
        assert fair_time.wait(arrived, 60)
    (report,) = tracker.reports
    assert (report.device, report.source, report.fields()) == (unit.device_id.hex(), "mqtt", {1: 2})


def test_a_retained_answer_is_never_taken_for_a_fresh_one(
    maker: Maker, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = maker.unit()
    raw_publish(maker, broker, "tracker", f"fb/d/{unit.device_id.hex()}/fresh", b"old", is_retained=True)

    async def work(source):
        wait_briefly(monkeypatch)
        with pytest.raises(LinkTimeoutError):
            await source.freshness(freshness_request()[1])

    using(maker, broker, unit, work)


def test_a_device_can_not_publish_what_only_the_publisher_may(maker: Maker, broker: Broker) -> None:
    with publisher(maker, broker) as sender:
        sender.publish_support(b"genuine")
    intruder = maker.unit().device_id.hex()
    raw_publish(maker, broker, intruder, CLASS_TOPIC + "support", b"forged", is_retained=True)
    assert using(maker, broker, maker.unit(), lambda source: source.support()) == b"genuine"


@pytest.mark.parametrize("name", ["fresh", "report", "fresh/req"])
def test_a_device_can_not_publish_under_another_ones_name(maker: Maker, broker: Broker, name: str) -> None:
    victim, intruder = maker.unit().device_id.hex(), maker.unit().device_id.hex()
    tracker = maker.tracker()
    with MqttTracker(tracker, maker.access(broker.port, "tracker")):
        raw_publish(maker, broker, intruder, f"fb/d/{victim}/{name}", b"forged")
        # The same client's own report comes after it: once that arrived, the forged one never will.
        arrived = threading.Event()
        tracker.on_report = lambda report: arrived.set()
        raw_publish(maker, broker, intruder, f"fb/d/{intruder}/report", b"\xa0")
        assert fair_time.wait(arrived, 60)
    assert [report.device for report in tracker.reports] == [intruder]


def arrives(is_there: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a delivery. The test decides whether it came."""
    deadline = fair_time.now() + seconds
    while not is_there() and fair_time.now() < deadline:
        time.sleep(0.02)


def test_a_device_can_not_read_another_ones_topics(maker: Maker, broker: Broker) -> None:
    victim, intruder = maker.unit().device_id.hex(), maker.unit().device_id.hex()
    heard: list[str] = []
    wanted = (f"fb/d/{victim}/fresh", "fb/d/#", "#", f"fb/d/{intruder}/fresh")
    for topic in wanted:
        try:
            client = MqttClient(
                maker.access(broker.port, intruder),
                intruder,
                topics=(topic,),
                on_message=lambda topic, payload: heard.append(topic),
            )
            with client:
                raw_publish(maker, broker, "tracker", f"fb/d/{victim}/fresh", b"secret")
                raw_publish(maker, broker, "tracker", f"fb/d/{intruder}/fresh", b"own")
                if topic.endswith(f"{intruder}/fresh"):
                    arrives(lambda: f"fb/d/{intruder}/fresh" in heard)
        except Exception as error:  # amqtt refuses with an answer, mosquitto without one
            assert "denied" in str(error)
    # Releases are for every device; of the topics of devices it receives only its own.
    assert {topic for topic in heard if topic.startswith("fb/d/")} == {f"fb/d/{intruder}/fresh"}


def test_without_a_client_certificate_there_is_no_connection(maker: Maker, broker: Broker) -> None:
    context = ssl.create_default_context(cadata=maker.server_ca.certificate_pem.decode())

    async def work() -> bytes:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", broker.port, ssl=context, server_hostname="updates.firstboot.test"
        )
        writer.write(mqtt.encode_connect("0" * 32, 60))
        await writer.drain()
        return await reader.read(4)

    try:
        answer = asyncio.run(work())
    except (ssl.SSLError, ConnectionError):
        answer = b""
    assert answer == b""


def test_a_certificate_of_another_authority_is_refused(
    maker: Maker, broker: Broker, tmp_path_factory
) -> None:
    stranger = Maker(tmp_path_factory.mktemp("stranger"))
    unit = stranger.unit()

    async def work():
        source = maker.mqtt_source(unit, broker.port)
        try:
            with pytest.raises(LinkError):
                await source.open()
        finally:
            await source.close()

    asyncio.run(work())


def test_a_broker_with_another_name_or_authority_is_refused(
    maker: Maker, broker: Broker, tmp_path_factory
) -> None:
    stranger = Maker(tmp_path_factory.mktemp("other"))
    for changes in ({"tls_name": "other.test"}, {"ca_der": stranger.server_ca.certificate_der}):

        async def work(changes=changes):
            source = maker.mqtt_source(maker.unit(), broker.port, **changes)
            with pytest.raises(LinkError):
                await source.open()

        asyncio.run(work())


def test_a_client_may_not_take_another_ones_client_id(maker: Maker, broker: Broker) -> None:
    victim, intruder = maker.unit(), maker.unit()

    async def work():
        source = maker.mqtt_source(intruder, broker.port)
        source._device = victim.device_id.hex()
        try:
            await source.open()
            await source.report(b"\xa0")
        finally:
            await source.close()

    tracker = maker.tracker()
    with MqttTracker(tracker, maker.access(broker.port, "tracker")):
        try:
            asyncio.run(work())
        except PeerRefusedError:  # amqtt refuses; mosquitto ignores the id and uses the certificate's name
            assert tracker.reports == []
        else:
            until("the report", lambda: tracker.reports)
            assert [report.device for report in tracker.reports] == [intruder.device_id.hex()]


def test_a_publish_that_the_broker_denies_is_an_error_of_the_publisher(
    maker: Maker, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioning.publishing.topics.READ_BACK_S", 0.5)
    with publisher(maker, broker) as sender, pytest.raises(PublishError):
        sender.publish_raw("fb/d/" + "00" * 16 + "/fresh", b"x")

"""A broker with several releases: nothing depends on a wildcard, and superseded objects are removed by a list."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from provisioning import fair_time
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.publishing.topics import WINDOW, RetainedTopics
from provisioning.servers import mosquitto
from provisioning.servers.broker import Broker
from provisioning.servers.mosquitto import MosquittoBroker
from provisioning.servers.mqtt_client import MqttClient
from tests.interop.support.maker import CLASS_ID, Maker

pytestmark = pytest.mark.interop

PREFIX = f"fb/{CLASS_ID.hex()}/"
QUEUE = "max_queued_messages 70\n"  # more than a window, less than two releases


@pytest.fixture
def small_queue(maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """mosquitto with a queue that a wildcard over two releases overflows, as 1000 messages are by four of 2 MB."""
    if mosquitto.find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    monkeypatch.setattr(mosquitto, "CONFIGURATION", mosquitto.CONFIGURATION + QUEUE)
    with MosquittoBroker(maker.broker_setup(tmp_path)) as broker:
        yield broker


def test_releases_are_published_beyond_the_queue_of_the_broker(maker: Maker, small_queue: Broker) -> None:
    for number in (1, 2, 3):
        release = maker.release(400_000, number)
        with MqttPublisher(maker.access(small_queue.port, "publisher"), CLASS_ID) as publisher:
            assert publisher.publish_release(release) > WINDOW
    topics = [f"{PREFIX}o/{digest.hex()}" for digest in release.small_objects()]
    with RetainedTopics(maker.access(small_queue.port, "publisher"), "publisher") as reader:
        assert len(reader.get(topics)) == len(topics)


def test_every_read_of_the_retained_topics_finds_all_of_them(maker: Maker, small_queue: Broker) -> None:
    contents = {f"{PREFIX}o/{number:064x}": bytes(4096) for number in range(WINDOW + 33)}
    with RetainedTopics(maker.access(small_queue.port, "publisher"), "publisher") as topics:
        topics.put(contents)
        assert [len(topics.get(list(contents))) for _ in range(50)] == [len(contents)] * 50


def test_the_objects_of_every_superseded_release_are_removed(maker: Maker, small_queue: Broker) -> None:
    releases = [maker.release(300_000, number) for number in (1, 2, 3)]
    with MqttPublisher(maker.access(small_queue.port, "publisher"), CLASS_ID) as publisher:
        for release in releases[:2]:
            publisher.publish_release(release)
    with MqttPublisher(maker.access(small_queue.port, "publisher"), CLASS_ID) as publisher:
        publisher.publish_release(releases[2])
        removed = set(publisher.remove_superseded())
        assert publisher.remove_superseded() == []
    old = {f"{PREFIX}o/{digest.hex()}" for one in releases[:2] for digest in one.small_objects()}
    new = {f"{PREFIX}o/{digest.hex()}" for digest in releases[2].small_objects()}
    assert removed == old - new
    with RetainedTopics(maker.access(small_queue.port, "publisher"), "publisher") as reader:
        assert set(reader.get(sorted(old | new))) == new


def test_the_objects_of_a_release_that_was_published_without_a_list_are_removed(
    maker: Maker, broker: Broker
) -> None:
    old, new = maker.release(20_000, 1), maker.release(20_000, 2)
    with MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as publisher:
        publisher.publish_release(old)
        publisher.publish_raw(PREFIX + "published", b"")
        publisher.publish_release(new)
        removed = publisher.remove_superseded()
    assert set(removed) == {f"{PREFIX}o/{digest.hex()}" for digest in old.small_objects()}


@pytest.mark.parametrize("service", ["publisher", "tracker"])
def test_a_session_that_another_client_takes_over_is_reported(
    maker: Maker, small_queue: Broker, service: str
) -> None:
    access = maker.access(small_queue.port, service)
    is_reported = threading.Event()

    class Reported(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR and "takes over the session" in record.getMessage():
                is_reported.set()

    handler = Reported()
    logger = logging.getLogger("provisioning.servers.mqtt_client")
    logger.addHandler(handler)
    try:
        with MqttClient(access, service) as first, MqttClient(access, service) as second:
            assert fair_time.wait(is_reported, 60)
            assert service in (first.problem or second.problem or "")
    finally:
        logger.removeHandler(handler)

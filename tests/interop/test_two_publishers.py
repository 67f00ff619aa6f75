"""Two publishers for one product class: what each says, and that neither removes the objects of the other."""

from __future__ import annotations

import threading
from typing import Final

import pytest
from paho.mqtt.client import MQTTMessageInfo

from provisioning import fair_time
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.release.store import PublishError
from provisioning.servers.broker import Broker
from provisioning.servers.mqtt_client import MqttClient
from tests.interop.support.maker import CLASS_ID, Maker

pytestmark = pytest.mark.interop
LIMIT_S: Final = 30.0


def test_a_publisher_whose_manifest_was_replaced_removes_nothing(maker: Maker, broker: Broker) -> None:
    first, second = maker.release(5000, 41), maker.release(9000, 42)
    with MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as one:
        one.publish_release(first)
        one._put({"manifest": second.envelope})  # as another publisher does in between
        with pytest.raises(PublishError, match="another publisher"):
            one.remove_superseded()
        one.publish_release(first)
        one.remove_superseded()


@pytest.mark.parametrize(
    "broker", ["mosquitto"], indirect=True
)  # amqtt sends no end to the client that loses
def test_a_session_that_another_client_takes_over_is_named_as_the_cause(maker: Maker, broker: Broker) -> None:
    access = maker.access(broker.port, "publisher")
    with MqttClient(access, "publisher") as one, MqttClient(access, "publisher"):
        while one.last_end is None and one.problem is None:
            one.wait([one.publish(f"fb/{CLASS_ID.hex()}/fence", b"", is_retained=True)])
        assert "'publisher'" in (one.problem or one.last_end or "")


@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
def test_what_is_sent_while_the_connection_is_down_is_sent_once_it_is_open_again(
    maker: Maker, broker: Broker
) -> None:
    access = maker.access(broker.port, "publisher")
    topic = f"fb/{CLASS_ID.hex()}/fence"
    sent: list[MQTTMessageInfo] = []
    is_down = threading.Event()
    received: list[bytes] = []
    is_received = threading.Event()

    def publish_while_down(is_connected: bool, _reason: str) -> None:
        if not is_connected and not sent:  # runs before the client connects again
            sent.append(one.publish(topic, b"sent while down", is_retained=True))
            is_down.set()

    def keep(_topic: str, payload: bytes) -> None:
        received.append(payload)
        is_received.set()

    one = MqttClient(access, "publisher", on_state=publish_while_down, on_message=keep)
    with one:
        with MqttClient(access, "publisher"):  # takes the session over
            assert fair_time.wait(is_down, LIMIT_S)
        one.wait(sent)
        one.subscribe([topic])
        assert fair_time.wait(is_received, LIMIT_S)
        assert received == [b"sent while down"]

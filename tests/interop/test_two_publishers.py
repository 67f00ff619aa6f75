"""Two publishers for one product class: what each says, and that neither removes the objects of the other."""

from __future__ import annotations

import pytest

from provisioning.publishing.mqtt import MqttPublisher
from provisioning.release.store import PublishError
from provisioning.servers.broker import Broker
from provisioning.servers.mqtt_client import MqttClient
from tests.interop.support.maker import CLASS_ID, Maker

pytestmark = pytest.mark.interop


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

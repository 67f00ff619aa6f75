"""The choice of the broker that this machine can run."""

from __future__ import annotations

from provisioning.servers.broker import Broker, BrokerSetup


def make_broker(setup: BrokerSetup) -> Broker:
    """Return a mosquitto broker if mosquitto is installed, else an amqtt broker inside this process."""
    from provisioning.servers.mosquitto import MosquittoBroker, find_mosquitto

    if find_mosquitto() is not None:
        return MosquittoBroker(setup)
    from provisioning.servers.amqtt_broker import AmqttBroker

    return AmqttBroker(setup)

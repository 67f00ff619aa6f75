"""MQTT broker and CoAP server refuse a withdrawn unit and keep serving another one."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.errors import FirstbootError, LinkTimeoutError, PeerRefusedError
from device.transport import mqtt as transport
from provisioning.publishing.coap import CoapPublisher
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.registry import export
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.release.folder_store import FolderStore
from provisioning.servers.access import mosquitto_acl
from provisioning.servers.amqtt_broker import AmqttBroker
from provisioning.servers.broker import Broker
from provisioning.servers.coap_server import CoapServer
from provisioning.servers.mosquitto import MosquittoBroker, find_mosquitto
from provisioning.servers.mqtt_client import MqttClient
from provisioning.servers.oscore_store import OscoreStore
from tests.interop.support.maker import CLASS_ID, Maker, Unit, freshness_request
from tests.patience import until
from tests.unit.provisioning.registry.registry_bench import FACTS, open_batch, reserve

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("patient_unit")]


@dataclass
class Fleet:
    """A registry with two finished units, and the servers' side of it."""

    registry: Registry
    server_key: ServerPrivateKey
    serials: list[str]
    units: list[Unit]

    def revoke(self, number: int) -> None:
        self.registry.withdraw(self.serials[number], by="E. Example", reason="stolen")


@pytest.fixture
def fleet(maker: Maker, tmp_path: Path) -> Iterator[Fleet]:
    registry, key = Registry.create(tmp_path / "registry.db"), ServerPrivateKey.generate()
    open_batch(registry)
    made = Fleet(registry, key, [], [])
    for number in (1, 2):
        unit = reserve(registry, number, f"code{number}")
        secret, salt = os.urandom(16), os.urandom(8)
        sealed = (key.public.key_id, key.public.seal(unit.device_id, secret, salt))
        registry.complete(unit.unit_id, dataclasses.replace(FACTS, oscore=sealed))
        registry.record_pass(unit.unit_id, {"station": "station"})
        made.serials.append(unit.serial)
        credentials = maker.device_ca.issue_client(unit.device_id.hex())
        made.units.append(Unit(unit.device_id, credentials, secret, salt))
    yield made
    registry.close()


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest, maker: Maker, fleet: Fleet, tmp_path: Path) -> Iterator[Broker]:
    if request.param == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    setup = dataclasses.replace(
        maker.broker_setup(tmp_path / "broker"), units=tuple(export.served_units(fleet.registry))
    )
    with MosquittoBroker(setup) if request.param == "mosquitto" else AmqttBroker(setup) as running:
        yield running


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the wait for messages that never come."""
    monkeypatch.setattr(transport, "_RETAINED_WAIT_MS", 300)


def envelope_by_mqtt(maker: Maker, broker: Broker, unit: Unit) -> bytes | None:
    """Return the newest envelope that the unit's source reads, None if the broker refuses or sends nothing."""

    async def work() -> bytes | None:
        source = maker.mqtt_source(unit, broker.port)
        try:
            await source.open()
            found: bytes | None = await source.envelope()
            return found
        finally:
            await source.close()

    try:
        return asyncio.run(work())
    except FirstbootError:
        return None


def test_a_revoked_unit_reads_nothing_from_the_broker(maker: Maker, broker: Broker, fleet: Fleet) -> None:
    with MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as publisher:
        publisher.publish_raw(f"fb/{CLASS_ID.hex()}/manifest", b"envelope")
    assert [envelope_by_mqtt(maker, broker, unit) for unit in fleet.units] == [b"envelope"] * 2
    fleet.revoke(0)
    broker.serve_units(export.served_units(fleet.registry))
    assert [envelope_by_mqtt(maker, broker, unit) for unit in fleet.units] == [None, b"envelope"]


def test_a_connected_unit_receives_nothing_after_its_withdrawal(
    maker: Maker, broker: Broker, fleet: Fleet
) -> None:
    heard: dict[str, list[bytes]] = {unit.device_id.hex(): [] for unit in fleet.units}
    clients = []
    for unit in fleet.units:
        name = unit.device_id.hex()
        unit.credentials.save(maker.directory, name)
        client = MqttClient(
            maker.access(broker.port, name),
            name,
            topics=(f"fb/{CLASS_ID.hex()}/support",),
            on_message=lambda topic, payload, name=name: heard[name].append(payload),
        )
        clients.append(client.__enter__())
    try:
        fleet.revoke(0)
        broker.serve_units(export.served_units(fleet.registry))
        with MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as publisher:
            publisher.publish_support(b"news")
        revoked, other = (unit.device_id.hex() for unit in fleet.units)
        until("the news of the unit that is served", lambda: heard[other])
        assert heard == {revoked: [], other: [b"news"]}
    finally:
        for client in clients:
            client.__exit__(None, None, None)


def test_a_unit_that_no_registry_released_has_no_rights(maker: Maker, broker: Broker, fleet: Fleet) -> None:
    with MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as publisher:
        publisher.publish_raw(f"fb/{CLASS_ID.hex()}/manifest", b"envelope")
    assert envelope_by_mqtt(maker, broker, maker.unit()) is None


def test_a_broker_that_starts_again_keeps_who_was_revoked(maker: Maker, broker: Broker, fleet: Fleet) -> None:
    fleet.revoke(0)
    broker.serve_units(export.served_units(fleet.registry))
    broker.stop()
    broker.start()
    with MqttPublisher(maker.access(broker.port, "publisher"), CLASS_ID) as publisher:
        publisher.publish_raw(f"fb/{CLASS_ID.hex()}/manifest", b"envelope")
    assert [envelope_by_mqtt(maker, broker, unit) for unit in fleet.units] == [None, b"envelope"]


def test_a_revoked_unit_is_refused_by_the_running_coap_server(
    maker: Maker, fleet: Fleet, tmp_path: Path
) -> None:
    store = OscoreStore(tmp_path / "units")
    publisher = CoapPublisher(FolderStore(tmp_path / "store", CLASS_ID))
    with CoapServer(publisher.store, store, maker.tracker()) as server:

        async def ask(unit: Unit) -> bytes:
            source = maker.coap_source(unit, server.port)
            await source.open()
            try:
                answer: bytes = await source.freshness(freshness_request()[1])
                return answer
            finally:
                await source.close()

        assert export.import_sealed(export.sealed_json(fleet.registry), fleet.server_key, store) == (2, 0)
        assert all(asyncio.run(ask(unit)) for unit in fleet.units)
        fleet.revoke(0)
        assert export.import_sealed(export.sealed_json(fleet.registry), fleet.server_key, store) == (1, 1)
        with pytest.raises((PeerRefusedError, LinkTimeoutError)):
            asyncio.run(ask(fleet.units[0]))
        assert asyncio.run(ask(fleet.units[1]))


def test_the_exported_file_is_what_our_own_broker_reads(fleet: Fleet) -> None:
    exported = export.broker_acl(fleet.registry, [CLASS_ID])
    served = [unit.device_id for unit in fleet.units]
    assert exported.endswith(mosquitto_acl([CLASS_ID], served)) and exported.startswith("#")

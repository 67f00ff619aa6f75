"""Authorities get new certificates; devices and brokers with the old ones or the new ones keep working."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from device.errors import LinkError
from provisioning.keys.pki import CertificateAuthority
from provisioning.servers.amqtt_broker import AmqttBroker
from provisioning.servers.broker import Broker, BrokerSetup
from provisioning.servers.mosquitto import MosquittoBroker, find_mosquitto
from tests.interop.support.maker import Maker, Unit

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("patient_unit")]


@pytest.fixture(params=["mosquitto", "amqtt"])
def kind(request: pytest.FixtureRequest) -> type[MosquittoBroker] | type[AmqttBroker]:
    if request.param == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    return MosquittoBroker if request.param == "mosquitto" else AmqttBroker


def renewed_setup(maker: Maker, directory: Path) -> BrokerSetup:
    """A broker certified by the renewed server authority, which trusts only the renewed device authority."""
    server = maker.server_ca.renewed(days=30).issue_server(
        "updates.firstboot.test", ["updates.firstboot.test"]
    )
    clients = maker.device_ca.renewed(days=30).certificate_pem
    return dataclasses.replace(maker.broker_setup(directory), server=server, client_ca_pem=clients)


def connects(maker: Maker, broker: Broker, unit: Unit, **changes: object) -> bool:
    async def work() -> bool:
        source = maker.mqtt_source(unit, broker.port, **changes)
        try:
            await source.open()
            await source.report(b"\xa0")
            return True
        except LinkError as error:
            print(error.describe())
            return False
        finally:
            await source.close()

    return asyncio.run(work())


def test_a_unit_with_the_old_certificates_meets_servers_with_the_new_ones(
    maker: Maker, kind: type[MosquittoBroker] | type[AmqttBroker], tmp_path: Path
) -> None:
    unit = maker.unit()  # certified by the old authority, and trusting the old one
    with kind(renewed_setup(maker, tmp_path)) as broker:
        assert connects(maker, broker, unit)


def test_a_unit_made_after_the_renewal_meets_servers_with_the_old_certificates(
    maker: Maker, kind: type[MosquittoBroker] | type[AmqttBroker], tmp_path: Path
) -> None:
    unit = maker.unit()
    credentials = maker.device_ca.renewed().issue_client(unit.device_id.hex())
    new = dataclasses.replace(unit, credentials=credentials)
    with kind(maker.broker_setup(tmp_path)) as broker:
        assert connects(maker, broker, new, ca_der=maker.server_ca.renewed().certificate_der)


def test_the_same_name_over_another_key_is_no_renewal(
    maker: Maker, kind: type[MosquittoBroker] | type[AmqttBroker], tmp_path: Path
) -> None:
    imposter = CertificateAuthority.create("test server CA")
    server = imposter.issue_server("updates.firstboot.test", ["updates.firstboot.test"])
    setup = dataclasses.replace(maker.broker_setup(tmp_path), server=server)
    with kind(setup) as broker:
        assert not connects(maker, broker, maker.unit())

"""The servers of the maker of a live fleet, on loopback: mosquitto with client certificates, and the tracker."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from device.codec import cbor
from device.records import store
from device.records.store import DEVICE
from device.transport.mqtt import MqttPeer
from provisioning.keys.pki import CertificateAuthority, Credentials
from provisioning.publishing.topics import RetainedTopics
from provisioning.servers.access import PUBLISHER, TRACKER
from provisioning.servers.broker import BrokerSetup
from provisioning.servers.errors import ServerError
from provisioning.servers.mosquitto import RUN_FILE, MosquittoBroker
from provisioning.servers.mqtt_client import MqttAccess
from provisioning.servers.service import Service
from provisioning.servers.tracker import MqttTracker, Newest, Report, Tracker
from simulator.fleet.base import Base, Stored
from simulator.fleet.shard_process import resident_bytes

SERVER_NAME: Final = "fleet.firstboot.test"
_KEPT: Final = ("support", "contact")  # records of the factory that the maker publishes too


class LiveMaker(Service):
    """A broker and a tracker that start and stop together. start() raises ServerError, PublishError.

    `on_report(device id in hex)` is called in a thread for each report of a unit.
    """

    def __init__(self, base: Base, folder: Path, on_report: Callable[[str], None]) -> None:
        self._base = base
        self._folder = folder
        self._server_ca = CertificateAuthority.create("server CA of a live fleet")
        self._device_ca = CertificateAuthority.create("device CA of a live fleet")
        self.broker = MosquittoBroker(
            BrokerSetup(
                folder / "broker",
                self._server_ca.issue_server(SERVER_NAME, [SERVER_NAME]),
                self._device_ca.certificate_pem,
                (base.class_id,),
            )
        )

        def note(report: Report) -> None:
            on_report(report.device)

        signer = base.bench.ring.signer("tracker")
        classes = {base.class_id: Newest()}
        self._tracker = Tracker(signer, classes, now=lambda: int(time.time()), on_report=note)
        self._service: MqttTracker | None = None
        self._ca_path = folder / "server-ca.crt"
        folder.mkdir(parents=True, exist_ok=True)
        self._ca_path.write_bytes(self._server_ca.certificate_pem)
        for user in (PUBLISHER, TRACKER):
            self._device_ca.issue_client(user).save(folder, user)

    def start(self) -> None:
        """Return when the broker listens, after an outage on the same port, and the tracker answers."""
        port = self.broker.port
        self.broker.start()
        try:
            if port not in (0, self.broker.port):
                raise ServerError(f"port {port} was taken by another program during the outage")
            service = MqttTracker(self._tracker, self._access(TRACKER))
            service.start()
        except BaseException:
            self.broker.stop()
            raise
        self._service = service

    def stop(self) -> None:
        """End both; nobody answers any more."""
        service, self._service = self._service, None
        if service is not None:
            service.stop()
        self.broker.stop()

    def publish(self) -> None:
        """Publish the support record and the contact of the class, as a maker does, so that units need not wait."""
        records = self._base.records[DEVICE]
        prefix = f"fb/{self._base.class_id.hex()}/"
        with RetainedTopics(self._access(PUBLISHER), PUBLISHER) as topics:
            topics.put({prefix + name: store.unwrap(name, records[name])[1] for name in _KEPT})

    def issue(self, device_id: bytes) -> Credentials:
        """Return a certificate and a key of a unit."""
        return self._device_ca.issue_client(device_id.hex())

    def servers_record(self, check_interval_s: int) -> bytes:
        """Return the record `servers` as stored: this broker only."""
        source = {1: "mqtt", 2: self.broker.host, 3: self.broker.port, 4: SERVER_NAME}
        servers = cbor.decode(store.unwrap("servers", self._base.records[DEVICE]["servers"])[1])
        servers.update({1: self._server_ca.certificate_der, 2: [source], 3: check_interval_s})
        return store.wrap(cbor.encode(servers))

    def peer(self, unit: Credentials) -> MqttPeer:
        """Return the broker as a unit's transport needs it."""
        broker, authority = self.broker, self._server_ca.certificate_der
        return MqttPeer(
            broker.host, broker.port, SERVER_NAME, authority, unit.certificate_der, unit.private_key_der
        )

    def broker_bytes(self) -> int:
        """Return the memory that the broker holds now; 0 where /proc does not tell."""
        pid = (self._folder / "broker" / RUN_FILE).read_text().split()[0]
        return resident_bytes(pid)

    def _access(self, user: str) -> MqttAccess:
        path = self._folder / user
        return MqttAccess(
            self.broker.host,
            self.broker.port,
            self._ca_path,
            path.with_suffix(".crt"),
            path.with_suffix(".key"),
            SERVER_NAME,
        )


def own_device_records(unit: Credentials) -> Stored:
    """Return the records `device.crt` and `device.key` of a unit, as stored."""
    private = unit.key.private_numbers().private_value.to_bytes(32, "big")
    return {"device.crt": store.wrap(unit.certificate_der), "device.key": store.wrap(private)}

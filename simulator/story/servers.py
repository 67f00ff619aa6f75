"""The maker's servers in the story: broker, CoAP server, status tracker, and the publisher's connection."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from device.codec import cose
from device.limits import KEYSET_BYTES, KEYSET_SIGNATURES
from device.records import support as support_record
from device.trust import keyset
from provisioning.keys.pki import CertificateAuthority
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.registry import export
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.release.folder_store import FolderStore
from provisioning.servers.broker import BrokerSetup
from provisioning.servers.coap_server import CoapServer
from provisioning.servers.errors import ServerError
from provisioning.servers.local_broker import make_broker
from provisioning.servers.mqtt_client import MqttAccess
from provisioning.servers.oscore_store import OscoreStore
from provisioning.servers.tracker import MqttTracker, Tracker
from provisioning.station.station import Station
from simulator.story.errors import WorldError
from simulator.story.product import SERVER_NAME

_SERVER_DAYS = 20 * 365  # the certificate outlives the support period that the last step moves past


class TrackerClock:
    """The time that the tracker signs: this host's, moved by `shift_s` seconds."""

    shift_s = 0

    def now(self) -> int:
        """Return the time in seconds since 1970."""
        return int(time.time()) + self.shift_s

    def move_to(self, time_s: int) -> None:
        """Let the clock show `time_s` now and run on from there."""
        self.shift_s = time_s - int(time.time())


class Servers:
    """All servers of one story; they run until `stack` closes. Raises WorldError if one cannot start."""

    def __init__(
        self,
        folder: Path,
        class_id: bytes,
        tracker: Tracker,
        authorities: tuple[CertificateAuthority, CertificateAuthority],
        stack: ExitStack,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._devices, self._authority = authorities
        self.tracker = tracker
        self.newest = tracker.classes[class_id]
        self.oscore_key = ServerPrivateKey.generate()  # stations encrypt units' secrets to its public half
        try:
            self._start(class_id, stack)
        except ServerError as error:
            raise WorldError(str(error)) from error

    def _start(self, class_id: bytes, stack: ExitStack) -> None:
        server = self._authority.issue_server(SERVER_NAME, [SERVER_NAME], days=_SERVER_DAYS)
        clients = self._devices.certificate_pem + self._authority.certificate_pem
        self.broker = stack.enter_context(
            make_broker(BrokerSetup(self._folder / "broker", server, clients, (class_id,), units=()))
        )
        self.store = FolderStore(self._folder / "published", class_id)
        self.oscore = OscoreStore(self._folder / "oscore")
        self.coap = stack.enter_context(CoapServer([self.store], self.oscore, self.tracker))
        stack.enter_context(MqttTracker(self.tracker, self._access("tracker")))
        self.publisher = stack.enter_context(MqttPublisher(self._access("publisher"), class_id))

    def _access(self, name: str) -> MqttAccess:
        ca_path = self._folder / "ca.pem"
        ca_path.write_bytes(self._authority.certificate_pem)
        certificate, key = self._authority.issue_client(name).save(self._folder, name)
        return MqttAccess(self.broker.host, self.broker.port, ca_path, certificate, key, SERVER_NAME)

    @property
    def ports(self) -> dict[str, int]:
        """The port of each transport."""
        return {"mqtt": self.broker.port, "coap": self.coap.port}

    def publish_key_set(self, record: bytes) -> None:
        """Publish a signed key set over both transports."""
        self.publisher.publish_keyset(record)
        self.store.put_keyset(record)
        number = keyset.decode(cose.decode(record, KEYSET_BYTES, KEYSET_SIGNATURES).payload).rules.sequence
        self.newest.raise_to(keyset=number)

    def publish_batch_records(self, station: Station) -> None:
        """Publish the signed records that all units of the station's batch carry, over both transports."""
        support = station.batch_record("support")
        self.publisher.publish_support(support)
        self.store.put_support(support)
        self.newest.raise_to(support=support_record.decode(cose.decode(support).payload).sequence)
        contact = station.batch_record("contact")
        self.publisher.publish_contact(contact)
        self.store.put_contact(contact)

    def serve(self, registry: Registry) -> None:
        """Import from the registry which units have access, and their secrets, encrypted to `oscore_key`."""
        self.broker.serve_units(export.served_units(registry))
        export.import_sealed(export.sealed_json(registry), self.oscore_key, self.oscore)

    def contacts(self, device_id: str) -> list[str]:
        """Return every contact of the unit `device_id` (hexadecimal) that a server noted, in words."""
        found = [f"report over {report.source}" for report in self.tracker.reports]
        if device_id in self.broker.log_path.read_text(errors="replace"):
            found.append("a connection to the broker")
        if self.tracker.asked:
            found.append(f"{self.tracker.asked} freshness requests")
        return found

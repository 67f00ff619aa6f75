"""A maker with keys, one product class, devices and releases, for the tests with real peers."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from device.net import oscore
from device.net.sender_sequence import SenderSequence
from device.ports.host import HostClock, HostEntropy, HostNetwork
from device.records import freshness
from device.transport.coap import CoapPeer, CoapSource
from device.transport.mqtt import MqttPeer, MqttSource
from device.trust.anchors import NO_RULES, ROLE_TRACKER, Anchors, Key
from device.trust.signed_record import verify_record
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.pki import CertificateAuthority, Credentials
from provisioning.release.release import Release, build_release
from provisioning.servers.broker import BrokerSetup
from provisioning.servers.mqtt_client import MqttAccess
from provisioning.servers.oscore_store import SERVER_ID
from provisioning.servers.tracker import Newest, Tracker

SERVER_NAME = "updates.firstboot.test"
CLASS_ID = bytes(range(16))
VENDOR_ID = bytes(range(16, 32))
NOW_S = 1_900_000_000


@dataclass
class Unit:
    """One device: certificate for MQTT, shared secret for OSCORE, and its durable sequence number."""

    device_id: bytes
    credentials: Credentials
    secret: bytes
    salt: bytes
    reserved: list[int] = field(default_factory=list)

    def oscore(self) -> oscore.Credentials:
        return oscore.Credentials(self.secret, self.salt, self.device_id[:7], SERVER_ID)

    def sequence(self) -> SenderSequence:
        """Return the sequence as after a start: from the number that was stored last."""
        return SenderSequence(self.reserved[-1] if self.reserved else 0, self.reserved.append)


class Maker:
    """A maker. Authorities and signers are generated once per test session."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server_ca = CertificateAuthority.create("test server CA")
        self.device_ca = CertificateAuthority.create("test device CA")
        self.server = self.server_ca.issue_server(SERVER_NAME, [SERVER_NAME])
        self.tracker_signer = FileSigner(ec.generate_private_key(ec.SECP256R1()))
        self.author = FileSigner(ec.generate_private_key(ec.SECP256R1()))
        self.ca_path = directory / "server-ca.crt"
        self.ca_path.write_bytes(self.server_ca.certificate_pem)

    def verify_freshness(self, record: bytes) -> bytes:
        """Return the payload of a record that this maker's tracker signed, checked as a device does."""
        signer = self.tracker_signer
        key = Key(signer.key_id, signer.algorithm, ROLE_TRACKER, signer.public)
        return verify_record(
            record, freshness.TYP, ROLE_TRACKER, Anchors(VENDOR_ID, CLASS_ID, (key,), 0, 0, NO_RULES)
        )

    def tracker(self) -> Tracker:
        return Tracker(self.tracker_signer, {CLASS_ID: Newest(7, 3)}, now=lambda: NOW_S)

    def unit(self) -> Unit:
        device_id = os.urandom(16)
        credentials = self.device_ca.issue_client(device_id.hex())
        return Unit(device_id, credentials, os.urandom(16), os.urandom(8))

    def release(self, payload_bytes: int = 100_000, sequence_number: int = 7) -> Release:
        # The same content at two places, as in images: runs of equal chunks share a topic.
        payload = bytearray(os.urandom(payload_bytes))
        if payload_bytes > 45056:
            payload[4096:12288] = b"\xff" * 8192
            payload[40960:45056] = b"\xff" * 4096
        return build_release(
            bytes(payload),
            vendor_id=VENDOR_ID,
            class_id=CLASS_ID,
            sequence_number=sequence_number,
            signer=self.author,
            version="1.0.0",
            mitigates="nothing",
            interrupts="no",
        )

    def broker_setup(self, directory: Path, port: int | None = None) -> BrokerSetup:
        services = ("publisher", "tracker", "tracker-lamps")
        return BrokerSetup(
            directory, self.server, self.device_ca.certificate_pem, (CLASS_ID,), port, services=services
        )

    def access(self, port: int, user: str) -> MqttAccess:
        stem = self.directory / user
        if not stem.with_suffix(".crt").exists():
            self.device_ca.issue_client(user).save(self.directory, user)
        return MqttAccess(
            "127.0.0.1",
            port,
            self.ca_path,
            stem.with_suffix(".crt"),
            stem.with_suffix(".key"),
            SERVER_NAME,
        )

    def mqtt_source(self, unit: Unit, port: int, **changes: object) -> MqttSource:
        peer = MqttPeer(
            "127.0.0.1",
            port,
            SERVER_NAME,
            self.server_ca.certificate_der,
            unit.credentials.certificate_der,
            unit.credentials.private_key_der,
        )._replace(**changes)
        clock = HostClock()
        return MqttSource(HostNetwork(clock.trusted_time), clock, peer, CLASS_ID, unit.device_id)

    def coap_source(self, unit: Unit, port: int, network: object = None) -> CoapSource:
        clock = HostClock()
        return CoapSource(
            network or HostNetwork(clock.trusted_time),
            clock,
            HostEntropy(),
            CoapPeer("127.0.0.1", port),
            CLASS_ID,
            credentials=unit.oscore(),
            sequence=unit.sequence(),
        )


def freshness_request(class_id: bytes = CLASS_ID) -> tuple[bytes, bytes]:
    """Return (nonce, request) as a device sends it."""
    nonce = os.urandom(16)
    return nonce, freshness.encode_request(freshness.challenge(nonce, class_id, 0))


async def fetch_payload(
    source: MqttSource | CoapSource, release: Release, wanted: list[int] | None = None
) -> bytes:
    """Return the chunks `wanted` (default: all) of a release over a source, each checked against the chunk list."""
    chunk_list = await source.object(release.chunk_list_digest, len(release.chunk_list))
    assert chunk_list == release.chunk_list
    digests = [bytes(chunk_list[at : at + 32]) for at in range(0, len(chunk_list), 32)]
    indices = list(range(len(digests))) if wanted is None else wanted
    source.plan(release.payload_digest, len(release.payload), digests, indices)
    out = b""
    for index in indices:
        data = await source.chunk(index)
        assert hashlib.sha256(data).digest() == digests[index], f"chunk {index}"
        out += data
    return out

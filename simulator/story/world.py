"""Everything around the device in the story: keys, images, servers, station, the owner. Started and ended here."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from provisioning.keys import keyset
from provisioning.keys.key_ring import KeyRing
from provisioning.keys.pki import CertificateAuthority
from provisioning.product.example import EXAMPLE
from provisioning.product.product import Product, parse_product
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.registry import export
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.release.release import Release
from provisioning.release.store import ReleaseStore
from provisioning.servers.broker import BrokerSetup
from provisioning.servers.coap_server import CoapServer
from provisioning.servers.errors import ServerError
from provisioning.servers.local_broker import make_broker
from provisioning.servers.mqtt_client import MqttAccess
from provisioning.servers.oscore_store import OscoreStore
from provisioning.servers.tracker import MqttTracker, Newest, Tracker
from provisioning.station.link import FactoryLink
from provisioning.station.station import Station, StationConfig, UnitRefusedError
from simulator.story.images import ROOT, Images, firmware_images, simulated_images
from simulator.story.owner import Owner
from simulator.story.releases import Releases, Shelves
from simulator.story.runner import StepFailed

SERVER_NAME: Final = "updates.firstboot.test"
CHECK_INTERVAL_S: Final = {"sim": 1, "qemu": 3, "renode": 3}  # a product asks once an hour or less
KEYS: Final = ROOT / ".cache" / "keys" / "development"


class WorldError(RuntimeError):
    """The story cannot start here; the text says what is missing."""


@dataclass(frozen=True)
class KnownUnit:
    """What the label and the registry say of the unit. `setup_code` is the label's secret."""

    serial: str
    device_id: str
    setup_code: str
    fingerprint: str
    label_path: Path


class World:
    """One run of the story. Use as a context manager: it ends what it started."""

    def __init__(
        self, on: str, transports: tuple[str, ...], directory: Path, note: Callable[[str], None]
    ) -> None:
        self.on = on
        self.transports = transports
        self.directory = directory.resolve()
        self.note = note
        self.password = "-".join(secrets.token_hex(3) for _ in range(4))
        self.build_summary = ""
        self._stack = ExitStack()
        self._time_shift_s = 0
        self._heap_peak = 0
        self._last_version = ""
        self._owner: Owner | None = None
        self._releases: Releases | None = None

    def __enter__(self) -> World:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def keep_trace(self, step: str, text: str) -> None:
        """Keep the trace of a step that broke, for whoever looks into the logs."""
        (self.directory / f"{step}.trace.txt").write_text(text)

    def now(self) -> int:
        """The time that the tracker signs."""
        return int(time.time()) + self._time_shift_s

    # build ---------------------------------------------------------------------------------------------------
    def build(self) -> None:
        self.ring = KeyRing.generate_development(KEYS)
        self.plan = keyset.ensure_plan(KEYS)
        images = self.directory / "images"
        images.mkdir(exist_ok=True)
        self.images: Images = self._make_images(images)
        self.machine = self._stack.enter_context(self._make_machine())
        self._start_servers()
        self.build_summary = f"{self.images.summary}; broker: {type(self.broker).__name__}, CoAP: aiocoap"

    def _make_images(self, directory: Path) -> Images:
        make = simulated_images if self.on == "sim" else firmware_images
        return make(self.ring, directory, self.note)

    def _make_tracker(self, class_id: bytes) -> Tracker:
        return Tracker(self.ring.signer("tracker"), {class_id: Newest()}, now=self.now)

    def _make_machine(self) -> Any:
        board = self.directory / "board"
        if self.on == "sim":
            from simulator.device import SimulatedMachine

            self.host_address = SimulatedMachine.host_address
            return SimulatedMachine(board, self.images.key_hashes)
        self.host_address = "10.0.2.2"
        if self.on == "renode":
            from renode.renode import RenodeBoard

            return RenodeBoard(board)
        from renode.qemu import QemuBoard

        return QemuBoard(board)

    def _start_servers(self) -> None:
        folder = self.directory / "servers"
        folder.mkdir(exist_ok=True)
        devices, authority = self.authorities()
        server = authority.issue_server(SERVER_NAME, [SERVER_NAME], days=20 * 365)
        setup = parse_product(EXAMPLE)
        clients = devices.certificate_pem + authority.certificate_pem
        try:
            self.broker = self._stack.enter_context(
                make_broker(BrokerSetup(folder / "broker", server, clients, (setup.class_id,), units=()))
            )
            self.store = ReleaseStore(folder / "published", setup.class_id)
            self.oscore = OscoreStore(folder / "oscore")
            self.oscore_key = ServerPrivateKey.generate()  # stations seal units' secrets to its public half
            self.tracker = self._make_tracker(setup.class_id)
            self.coap = self._stack.enter_context(CoapServer([self.store], self.oscore, self.tracker))
            self._stack.enter_context(MqttTracker(self.tracker, self._access(folder, "tracker")))
            self.publisher = self._stack.enter_context(
                MqttPublisher(self._access(folder, "publisher"), setup.class_id)
            )
        except ServerError as error:
            raise WorldError(str(error)) from error
        self.product = self._product()

    def authorities(self) -> tuple[CertificateAuthority, CertificateAuthority]:
        """The authorities of devices and of servers, as the servers have them."""
        return self.ring.device_ca, self.ring.server_ca

    def _access(self, folder: Path, name: str) -> MqttAccess:
        _, authority = self.authorities()
        (folder / "ca.pem").write_bytes(authority.certificate_pem)
        certificate, key = authority.issue_client(name).save(folder, name)
        return MqttAccess(
            self.broker.host, self.broker.port, folder / "ca.pem", certificate, key, SERVER_NAME
        )

    def _product(self) -> Product:
        """The example product, with this run's servers."""
        text = EXAMPLE[: EXAMPLE.index("[update]")]
        text += f"[update]\ncheck_interval_s = {CHECK_INTERVAL_S[self.on]}\n"
        ports = {"mqtt": self.broker.port, "coap": self.coap.port}
        for transport in self.transports:
            text += f'[[servers]]\ntransport = "{transport}"\nhost = "{self.host_address}"\n'
            text += f"port = {ports[transport]}\n"
            text += f'tls_name = "{SERVER_NAME}"\n' if transport == "mqtt" else ""
        text += EXAMPLE[EXAMPLE.index("[label]") :]
        if self.on == "sim":
            text = text.replace('board = "mps2_an385"', 'board = "simulator"')
        (self.directory / "product.toml").write_text(text)
        return parse_product(text)

    # releases ------------------------------------------------------------------------------------------------
    @property
    def releases(self) -> Releases:
        """The maker's releases of this run, made when they are first asked for."""
        if self._releases is None:
            self._releases = Releases(
                self.product,
                self.images,
                self.ring.signer("author"),
                Shelves(self.publisher, self.store, self.tracker),
                lambda: self.running_number,
            )
        return self._releases

    def release(self, number: int) -> Release:
        """Release `number`, signed by the author."""
        return self.releases.release(number)

    def publish(self, number: int, transport: str) -> None:
        """Publish a release where units look over `transport`."""
        self.releases.publish(number, transport)

    def withdraw(self, transport: str) -> None:
        """Publish the running release, so that units find nothing to do until the next step."""
        self.publish(self.running_number, transport)

    def move_time_past_support(self) -> None:
        """Let the tracker sign a time behind the support period (inclusive end, then two days)."""
        end = dt.datetime.combine(self.product.support.end_date, dt.time(), dt.UTC)
        self._time_shift_s = int(end.timestamp()) + 3 * 86400 - int(time.time())
        # The tracker's key is good for 400 days; by then the roots have renewed it, as they do every year.
        self.plan = self.plan.with_tracker_from(self.now())
        self._publish_keys()

    def _publish_keys(self) -> None:
        """Publish the key set of the plan, signed by the development roots, at the time the tracker signs."""
        content = keyset.key_set(self.plan, self.product.class_id, self.ring.anchor_keys(), self.now())
        signers = keyset.minimal(self.plan, keyset.root_signers(KEYS))
        record = keyset.sign_key_set(content, signers)
        self.publisher.publish_keyset(record)
        self.store.put_keyset(record)

    # factory -------------------------------------------------------------------------------------------------
    def provision(self) -> None:
        """A bare board comes off the line and goes through the station."""
        self.machine.program(self.images.rom, self.images.signed[1])
        self.machine.power_on()
        registry = Registry.create(self.directory / "registry.sqlite")
        self._stack.callback(registry.close)
        self._station = self.open_station(registry)
        result = self._station.provision(self.machine.factory_port(), self._show_phase)
        self.serve(registry)
        found = registry.find(device_id=result.device_id)
        if found is None or found.web_fingerprint is None or result.setup_code is None:
            raise WorldError("the registry does not know the unit that the station released")
        self.unit = KnownUnit(
            result.serial,
            result.device_id.hex(),
            result.setup_code,
            found.web_fingerprint.hex(),
            result.label_path,
        )

    def open_station(self, registry: Registry) -> Station:
        """The station of this product's batch; what all its units carry is published for those in the field too."""
        config = StationConfig(
            product=self.product,
            labels_dir=self.directory / "labels",
            oscore_key=self.oscore_key.public,
            development=True,
            station_name="demo",
            timeout_s=1.0,  # a unit that restarts loses what was on the line; it is asked again soon
            attempts=15,
        )
        station = Station(config, registry, self.ring, log=self._factory_log)
        support = station.batch_record("support")
        self.publisher.publish_support(support)
        self.store.put_support(support)
        contact = station.batch_record("contact")
        self.publisher.publish_contact(contact)
        self.store.put_contact(contact)
        self._publish_keys()
        return station

    def serve(self, registry: Registry) -> None:
        """Take over from the registry, as a maker's servers do: who has access, and secrets sealed to them."""
        self.broker.serve_units(export.served_units(registry))
        export.import_sealed(export.sealed_json(registry), self.oscore_key, self.oscore)

    def provision_again(self) -> str:
        """Try the station on the same board; gives the reason of the refusal."""
        try:
            self._station.provision(self.machine.factory_port())
        except UnitRefusedError as error:
            return str(error)
        raise StepFailed("a second run to be refused", "a second provisioning")

    def _factory_log(self, text: str) -> None:
        with (self.directory / "factory.log").open("a") as log:
            log.write(text + "\n")

    def _show_phase(self, name: str, result: object) -> None:
        self.note(f"phase {name}")

    def factory_link(self) -> FactoryLink:
        """The factory port as anyone with a cable has it."""
        return FactoryLink(self.machine.factory_port(), timeout_s=2.0, log=self._factory_log)

    def contacts(self) -> list[str]:
        """What the servers have heard of the unit so far."""
        found = [f"report over {report.source}" for report in self.tracker.reports]
        if self.unit.device_id in self.broker.log_path.read_text(errors="replace"):
            found.append("a connection to the broker")
        if self.tracker.asked:
            found.append(f"{self.tracker.asked} freshness requests")
        return found

    # owner ---------------------------------------------------------------------------------------------------
    @property
    def owner(self) -> Owner:
        """The owner's browser; the device's address may be known only after its first start."""
        if self._owner is None:
            self._owner = Owner(self._web_address, self.unit.fingerprint)
        return self._owner

    def _web_address(self) -> tuple[str, int]:
        address: tuple[str, int] = self.machine.web_address
        return address

    def status(self) -> dict[str, Any]:
        """The unit's status page as data; signs in again after a restart, which ends sessions."""
        try:
            found = self.owner.status()
        except PermissionError:
            if not self.owner.sign_in(self.password):
                raise
            found = self.owner.status()
        self._heap_peak = max(self._heap_peak, found["heap"]["peak_bytes"])
        self._last_version = str(found["version"])
        return found

    @property
    def running_version(self) -> str:
        """The version that the status page showed last."""
        return self._last_version

    @property
    def running_number(self) -> int:
        return int(self._last_version.partition(".")[0])

    def facts(self) -> dict[str, Any]:
        """Numbers worth keeping of a run."""
        return {"heap_peak_bytes": self._heap_peak} if self._heap_peak else {}

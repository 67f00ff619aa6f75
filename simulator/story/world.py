"""Everything around the device in the story: keys, images, machine, servers, station and owner.

`World` starts the parts in order, ends them, and has one method for each action of the steps. The parts:
maker_keys.py, images.py, machine.py, servers.py, releases.py, station_run.py, owner.py and unit_status.py.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from firstboot.locations import source_root
from provisioning.brand.folder import brand_of
from provisioning.brand.tree import branded
from provisioning.keys.pki import CertificateAuthority
from provisioning.product.product import parse_product
from provisioning.registry.registry import Registry
from provisioning.servers.report_share import UNBOUNDED, ReportShare
from provisioning.servers.tracker import Newest, Tracker
from provisioning.station.link import FactoryLink
from provisioning.station.station import Station
from simulator.looks import in_this_process
from simulator.story.images import Images, firmware_images, require_key, simulated_images
from simulator.story.inputs import Inputs
from simulator.story.machine import FLASH_FILE, HOST_ADDRESSES, make_machine
from simulator.story.maker_keys import KEYS, MakerKeys
from simulator.story.owner import Owner
from simulator.story.product import product_text
from simulator.story.releases import Releases, Shelves
from simulator.story.servers import Servers, TrackerClock
from simulator.story.station_run import KnownUnit, StationRun
from simulator.story.unit_status import UnitStatus

_DAY_S = 86_400


class World:
    """One run of the story on the machine `on`: sim, qemu or renode. Use as a context manager.

    `build()` first, then `provision()`. Both raise WorldError. `note` receives progress in words.
    """

    def __init__(
        self,
        on: str,
        transports: tuple[str, ...],
        directory: Path,
        note: Callable[[str], None],
        *,
        keys_folder: Path = KEYS,
        inputs: Inputs | None = None,
        is_recorded: bool = False,
    ) -> None:
        """`is_recorded`: the first board on QEMU can be replayed afterwards."""
        self.on = on
        self.transports = transports
        self.directory = directory.resolve()
        self.note = note
        self.password = "-".join(secrets.token_hex(3) for _ in range(4))
        self.host_address = HOST_ADDRESSES[on]
        self.clock = TrackerClock()
        self.inputs = inputs or Inputs()
        self._is_recorded = is_recorded
        self._keys_folder = self.inputs.keys or keys_folder
        self._stack = ExitStack()
        self._unit_status = UnitStatus(lambda: self.owner, self.password)

    def __enter__(self) -> World:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def keep_trace(self, step: str, text: str) -> None:
        """Keep the trace of a step that raised an error, beside the logs."""
        (self.directory / f"{step}.trace.txt").write_text(text)

    # build ---------------------------------------------------------------------------------------------------
    def build(self) -> None:
        """Generate or load the keys, sign the images, make the machine and start the servers."""
        self.keys = MakerKeys(self._keys_folder)
        images = self.directory / "images"
        images.mkdir(exist_ok=True)
        self.images = self.make_images(images)
        self.machine: Any = self._make_machine("board", is_recorded=self._is_recorded)
        base = self.inputs.product_base()
        class_id = parse_product(base).class_id
        self.servers = Servers(
            self.directory / "servers", class_id, self.make_tracker(class_id), self.authorities(), self._stack
        )
        ports = {transport: self.servers.ports[transport] for transport in self.transports}
        text = product_text(
            self.on,
            self.host_address,
            ports,
            base,
            self.inputs.check_interval_s,
            board=self.inputs.board,
        )
        (self.directory / "product.toml").write_text(text)
        self.product = parse_product(text)
        self.station = StationRun(
            self.directory, self.product, self.servers.oscore_key.public, self.keys.ring
        )

    def make_images(self, directory: Path) -> Images:
        """Sign the releases' images into `directory`."""
        ring = self.keys.ring
        if self.on == "sim":
            images = simulated_images(ring, directory, self.note)
            self._stack.enter_context(in_this_process(brand_of(self.inputs.product)))
        else:
            images = firmware_images(
                ring,
                directory,
                self.note,
                root=branded(source_root(), self.inputs.product),
                variant=self.inputs.variant,
                board=self.inputs.board,
            )
        if self.inputs.image is not None:
            require_key(self.inputs.image, images.key_hashes)
            images.signed[1] = self.inputs.image
        return images

    def _make_machine(self, name: str, *, is_recorded: bool = False) -> Any:
        folder = self.directory / name
        machine = make_machine(
            self.on,
            folder,
            self.images,
            is_recorded=is_recorded,
            board=self.inputs.board,
            air=self.inputs.air,
        )
        if self.on == "sim":  # its flash is in memory; saved after the machine is closed
            self._stack.callback(lambda: machine.flash.save(folder / FLASH_FILE))
        return self._stack.enter_context(machine)

    def make_tracker(self, class_id: bytes) -> Tracker:
        """Return the status tracker of the one class."""
        return Tracker(
            self.keys.ring.signer("tracker"),
            {class_id: Newest()},
            now=self.clock.now,
            share=ReportShare(burst=UNBOUNDED),
        )

    def authorities(self) -> tuple[CertificateAuthority, CertificateAuthority]:
        """Return the authorities of devices and of servers, as the servers have them."""
        return self.keys.ring.device_ca, self.keys.ring.server_ca

    @property
    def build_summary(self) -> str:
        """Return one line about the build and the running servers."""
        return f"{self.images.summary}; broker: {type(self.servers.broker).__name__}, CoAP: aiocoap"

    # maker ---------------------------------------------------------------------------------------------------
    @cached_property
    def releases(self) -> Releases:
        """The maker's releases of this run; each is built on first use."""
        return Releases(
            self.product,
            self.images,
            self.keys.ring.signer("author"),
            Shelves(self.servers.publisher, self.servers.store, self.servers.tracker),
            lambda: self.running_number,
            self.inputs.app,
        )

    def publish(self, number: int, transport: str) -> None:
        """Publish a release where units look over `transport`."""
        self.releases.publish(number, transport)

    def withdraw(self, transport: str) -> None:
        """Publish the running release, so that units find nothing to do until the next step."""
        self.publish(self.running_number, transport)

    def publish_keys(self) -> None:
        """Publish the key set of the plan, signed by the development roots, at the time that the tracker signs."""
        self.servers.publish_key_set(self.keys.key_set(self.product.class_id, self.clock.now()))

    def move_time_past_support(self) -> None:
        """Let the tracker sign a time two days after the last day of the support period."""
        last_day = dt.datetime.combine(self.product.support.end_date, dt.time(), dt.UTC)
        self.clock.move_to(int(last_day.timestamp()) + 3 * _DAY_S)
        # The tracker's key is valid for 400 days; by then the roots have renewed it, as they do every year.
        self.keys.renew_tracker_key(self.clock.now())
        self.publish_keys()

    # factory -------------------------------------------------------------------------------------------------
    def provision(self) -> None:
        """Program a bare board with release 1 and let the station provision it."""
        self.begin_provisioning()
        self.provision_begun()

    def begin_provisioning(self, cut: Any = None) -> None:
        """Program a bare board with release 1, switch it on, and open the station.

        `cut` orders a power cut of an emulated board (renode.machine.CutOrder).
        """
        self.machine.program(self.images.rom, self.images.signed[1])
        if cut is None:
            self.machine.power_on()
        else:
            self.machine.power_on(cut=cut)
        self.registry = Registry.create(self.directory / "registry.sqlite")
        self._stack.callback(self.registry.close)
        self.opened_station = self.open_station(self.registry)

    def provision_begun(self) -> None:
        """Let the station provision the board that is on. Raises UnitFailedError; it can then be tried again."""
        self.unit = self.station.provision(self.opened_station, self.registry, self.machine, self.note)
        self.servers.serve(self.registry)

    def provision_another(self, number: int) -> tuple[Any, KnownUnit]:
        """Make one more board and provision it; it uses the same servers. Returns machine and unit."""
        machine = self._make_machine(f"board-{number}")
        machine.program(self.images.rom, self.images.signed[1])
        machine.power_on()
        unit = self.station.provision(self.opened_station, self.registry, machine, self.note)
        self.servers.serve(self.registry)
        return machine, unit

    def open_station(self, registry: Registry) -> Station:
        """Return the station of this product's batch; publish the batch's signed records and the key set."""
        station = self.station.open(registry)
        self.servers.publish_batch_records(station)
        self.publish_keys()
        return station

    def provision_again(self) -> str:
        """Try the station on the same board. Returns the reason of the refusal; raises StepFailed without one."""
        return self.station.provision_again(self.opened_station, self.machine)

    def factory_link(self) -> FactoryLink:
        """Return the factory port, as for anyone with a cable."""
        return self.station.link(self.machine)

    def contacts(self) -> list[str]:
        """Return every contact of the unit that a server noted so far, in words."""
        return self.servers.contacts(self.unit.device_id)

    # owner ---------------------------------------------------------------------------------------------------
    @cached_property
    def owner(self) -> Owner:
        """The owner's browser. The unit's address may be known only after its first start."""
        return Owner(lambda: self.machine.web_address, self.unit.fingerprint)

    def status(self) -> dict[str, Any]:
        """Return the unit's status page as data, as UnitStatus.read."""
        return self._unit_status.read()

    @property
    def running_version(self) -> str:
        """The version that the status page showed last."""
        return self._unit_status.running_version

    @property
    def running_number(self) -> int:
        """The number of the running release."""
        return self._unit_status.running_number

    def facts(self) -> dict[str, Any]:
        """Return the figures of the run by name."""
        return self._unit_status.facts()

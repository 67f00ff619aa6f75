"""A bench without hardware: a unit in memory (real device code on simulated flash), and a station."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from device.errors import LinkError, StorageError
from device.factory.factory_port import FactoryPort
from device.layout import MPS2
from device.records.store import Store
from device.update.slots import BootState
from provisioning.keys.key_ring import KeyRing
from provisioning.product.example import EXAMPLE
from provisioning.product.product import parse_product
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.station.link import HandlerStream
from provisioning.station.station import Station, StationConfig, UnitFailedError
from simulator.ports.flash import PowerCut, SimFlash
from simulator.ports.records import device_records

NOW = 1_795_000_000  # November 2026
PRODUCT = parse_product(EXAMPLE)


class HostEntropy:
    """interfaces.Entropy on the host's CSPRNG."""

    is_seeded = True
    draws = 0

    def is_ready(self) -> bool:
        return self.is_seeded

    def random_bytes(self, length: int) -> bytes:
        self.draws += 1
        return secrets.token_bytes(length)


class MemoryUnit:
    """One unit; implements device.factory.factory_port.FactoryServices. A power cut stops it until power_on()."""

    board = "mps2_an385"
    version = "1.0.0+0"
    image_digest = bytes(32)

    def __init__(self, *, is_development: bool = False, flash: SimFlash | None = None) -> None:
        self.flash = SimFlash() if flash is None else flash
        self.hardware_id = secrets.token_bytes(16)
        self.entropy = HostEntropy()
        self.is_development = is_development
        self.start()

    def power_on(self) -> None:
        """Start (again) with the content of the flash."""
        self.flash.power_on()
        self.start()

    def start(self) -> None:
        """Do what a unit does at its start; a planned cut stays planned."""
        self.is_dead = False
        self._store: Store | None = None
        self._records = device_records(self.flash)
        self.port = FactoryPort(self)
        try:
            self.port.start()
        except PowerCut:
            self.is_dead = True

    # FactoryServices

    @property
    def store(self) -> Store:
        if self._store is None:
            self._records.mount()
            self._store = Store(self._records)
        return self._store

    def is_locked(self) -> bool:
        return BootState(self.flash, MPS2).is_locked()

    def format_if_needed(self) -> None:
        try:
            self._records.mount()
        except StorageError:
            self._records.format()

    def lock(self) -> None:
        BootState(self.flash, MPS2).lock()

    def restart(self) -> None:
        self.power_on()

    # the line

    def handle(self, request: bytes) -> bytes:
        """Handle one request; LinkError after a power cut."""
        if self.is_dead:
            raise LinkError(reason="no power")
        try:
            answer = self.port.handle(request)
        except PowerCut:
            self.is_dead = True
            raise LinkError(reason="no power") from None
        if self.port.should_restart:
            self.power_on()
        return answer

    def stream(self) -> HandlerStream:
        return HandlerStream(self.handle)


def failure(action: Callable[[], object]) -> UnitFailedError:
    """Return the failure of `action`; the test fails if it succeeds."""
    try:
        action()
    except UnitFailedError as error:
        return error
    raise AssertionError("the run passed")


class Bench:
    """A registry, keys and folders for stations in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.keys = KeyRing.generate_development(directory / "keys")
        self.server = ServerPrivateKey.generate()  # the CoAP server's
        self.registry = Registry.create(directory / "registry.db", now=lambda: NOW)
        self.log: list[str] = []

    def station(
        self,
        *,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        product: object = PRODUCT,
        now: int = NOW,
        **changes: object,
    ) -> Station:
        settings: dict[str, object] = {
            "product": product,
            "labels_dir": self.directory / "labels",
            "oscore_key": self.server.public,
            "development": True,
            "timeout_s": 0.05,
            "attempts": 2,
        }
        config = StationConfig(**(settings | changes))  # type: ignore[arg-type]
        return Station(
            config, self.registry, self.keys, log=self.log.append, random_bytes=random_bytes, now=lambda: now
        )

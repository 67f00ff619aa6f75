"""The factory station in the story: it provisions the unit, then is run on it a second time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioning.keys.key_ring import KeyRing
from provisioning.product.product import Product
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerKey
from provisioning.station.link import FactoryLink
from provisioning.station.station import Station, StationConfig, UnitRefusedError
from simulator.story.errors import WorldError
from simulator.story.runner import StepFailed


@dataclass(frozen=True)
class KnownUnit:
    """The unit's data on the label and in the registry. `setup_code` is the label's secret."""

    serial: str
    device_id: str
    setup_code: str
    fingerprint: str
    label_path: Path


class StationRun:
    """The station and its log, `factory.log`. `oscore_key` is the public key that encrypts units' secrets."""

    def __init__(self, directory: Path, product: Product, oscore_key: ServerKey, ring: KeyRing) -> None:
        self._directory = directory
        self._product = product
        self._oscore_key = oscore_key
        self._ring = ring

    def open(self, registry: Registry) -> Station:
        """Return a station for the product's batch."""
        config = StationConfig(
            product=self._product,
            labels_dir=self._directory / "labels",
            oscore_key=self._oscore_key,
            development=True,
            station_name="demo",
            timeout_s=1.0,  # a unit that restarts loses what was on the line, so the station asks again soon
            attempts=15,
        )
        return Station(config, registry, self._ring, log=self.log)

    def provision(
        self, station: Station, registry: Registry, machine: Any, note: Callable[[str], None]
    ) -> KnownUnit:
        """Provision the machine. Raises WorldError if the registry does not list the unit afterwards."""
        result = station.provision(machine.factory_port(), lambda name, _: note(f"phase {name}"))
        found = registry.find(device_id=result.device_id)
        if found is None or found.web_fingerprint is None or result.setup_code is None:
            raise WorldError("the station passed the unit, but the registry does not list it")
        return KnownUnit(
            result.serial,
            result.device_id.hex(),
            result.setup_code,
            found.web_fingerprint.hex(),
            result.label_path,
        )

    def provision_again(self, station: Station, machine: Any) -> str:
        """Run the station again on this machine. Returns the reason of the refusal; raises StepFailed without one."""
        try:
            station.provision(machine.factory_port())
        except UnitRefusedError as error:
            return str(error)
        raise StepFailed("the station to refuse a second run", "a second provisioning")

    def link(self, machine: Any) -> FactoryLink:
        """Return the factory port, as for anyone with a cable."""
        return FactoryLink(machine.factory_port(), timeout_s=2.0, log=self.log)

    def log(self, text: str) -> None:
        """Append a line to the factory log."""
        with (self._directory / "factory.log").open("a") as log:
            log.write(text + "\n")

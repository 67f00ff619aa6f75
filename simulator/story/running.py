"""One provisioned, running unit with its servers, for `firstboot device run` and for tests of the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from device.owner import setup_code
from provisioning.onboarding.client import DeviceClient
from simulator.story.errors import WorldError
from simulator.story.inputs import Inputs
from simulator.story.machine import plain_port, radio_of
from simulator.story.runner import StepFailed, wait_until
from simulator.story.station_run import KnownUnit
from simulator.story.world import World

ANSWERS_S: Final = 60  # from power-on to the first page on a busy machine; an idle one takes two

_LOOK_S: Final = 0.1


def _quiet(text: str) -> None:
    pass


@contextmanager
def running_unit(
    on: str,
    directory: Path,
    note: Callable[[str], None] = _quiet,
    *,
    transports: tuple[str, ...] = ("mqtt", "coap"),
    is_past_support: bool = False,
    inputs: Inputs | None = None,
    is_recorded: bool = False,
) -> Iterator[World]:
    """Yield a unit in factory default, provisioned with development keys, once its first page answers.

    `is_past_support`: its servers sign a time after the support period. `is_recorded`: as World. Raises WorldError if
    it cannot start.
    """
    with World(on, transports, directory, note, inputs=inputs, is_recorded=is_recorded) as world:
        world.build()
        note("the station provisions the unit")
        world.provision()
        if is_past_support:
            world.move_time_past_support()
        note("waiting for its first page")
        try:
            wait_until(
                "the first page", lambda: world.owner.request("GET", "/").status == 200 or None, ANSWERS_S
            )
        except StepFailed as error:
            raise WorldError(str(error)) from error
        yield world


@dataclass(frozen=True)
class RunningUnit:
    """One provisioned, running unit."""

    machine: Any
    known: KnownUnit
    label: dict[str, Any]

    @property
    def address(self) -> str:
        """The URL at which a browser on this machine reaches the unit."""
        host, port = self.machine.web_address
        return f"https://{host}:{port}/"

    def is_answering(self) -> bool | None:
        """Return True if the first page answers, else None. Raises OSError without an answer."""
        client = DeviceClient(lambda: self.machine.web_address, self.known.fingerprint)
        return client.request("GET", "/").status == 200 or None

    @property
    def plain_url(self) -> str:
        """The URL of the plain page inside the access point of a unit with a radio: a phone shows it by itself."""
        return f"http://127.0.0.1:{plain_port(self.machine)}/"

    @property
    def setup_url(self) -> str:
        """The URL of set-up. The fragment with the code stays in the browser: no request carries it."""
        return f"{self.address}setup#code={self.label['setup_code']}"


def all_units(world: World, count: int) -> list[RunningUnit]:
    """Return `count` running units: the world's own and more that are made now. Raises WorldError."""
    units = [RunningUnit(world.machine, world.unit, label_of(world))]
    _add_network(world, units[0])
    for number in range(2, count + 1):
        machine, known = world.provision_another(number)
        unit = RunningUnit(machine, known, label_of(world, known))
        try:
            wait_until("the first page", unit.is_answering, ANSWERS_S)
        except StepFailed as error:
            raise WorldError(f"unit {known.serial}: {error}") from error
        _add_network(world, unit)
        units.append(unit)
    return units


def _add_network(world: World, unit: RunningUnit) -> None:
    """Add the unit's own Wi-Fi network to its label, once it is open. Raises WorldError."""
    air = world.inputs.air
    if air is None:
        return
    try:
        name = wait_until(
            "its access point", lambda: radio_of(unit.machine).own_name or None, ANSWERS_S, _LOOK_S
        )
    except StepFailed as error:
        raise WorldError(f"unit {unit.known.serial}: {error}") from error
    unit.label["network"], unit.label["network_passphrase"] = name, air.units[name]


def address_of(world: World) -> str:
    """Return the URL at which a browser on this machine reaches the unit."""
    host, port = world.machine.web_address
    return f"https://{host}:{port}/"


def label_of(world: World, known: KnownUnit | None = None) -> dict[str, Any]:
    """Return the label as data. It contains the set-up code and is secret, as the label is."""
    unit, product = known or world.unit, world.product
    return {
        "brand": product.brand,
        "model": product.model,
        "serial": unit.serial,
        "setup_code": setup_code.grouped(unit.setup_code),
        "certificate_sha256": unit.fingerprint,
        "support_end": product.support.end_date.isoformat(),
        "picture": str(unit.label_path),
        "note": "NOT FOR SALE: development keys",
    }

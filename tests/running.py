"""A fresh unit for each test: provisioned once in a module, then restored in flash.

A fresh unit is the flash image directly after the station, without any data of an earlier test.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.crypto import der
from device.records import setup
from device.records.store import DEVICE, Store
from simulator.ports.air import Air
from simulator.ports.flash import SimFlash
from simulator.ports.records import device_records
from simulator.story.inputs import Inputs
from simulator.story.rig import RigBoard
from simulator.story.runner import wait_until
from simulator.story.running import ANSWERS_S, running_unit
from simulator.story.world import World

PASSWORD = "orange kettle under the bridge"


class FactoryUnit(RigBoard):
    """One unit and its servers; `fresh()` restores it to factory default."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.world = world
        self._image = self.flash_image()

    def fresh(self) -> FactoryUnit:
        """Restore the unit to factory default, switch it on, wait for its first page."""
        self.machine.cut_power()
        if self.world.on == "sim":
            self.machine.flash.load_image(self._image)
        else:
            with self.machine.nvm.path.open("r+b") as nvm:
                nvm.write(self._image)
        self.world.owner.sign_out()
        self.start()
        return self

    def start(self, *, button_held: bool = False) -> None:
        """Switch on and wait for the first page."""
        self.machine.power_on(button_held=button_held)
        self.wait_for_page()

    @property
    def name(self) -> str:
        """The unit's name on the network, which its certificate has."""
        flash = SimFlash(self.machine.flash.layout) if self.world.on == "sim" else SimFlash()
        flash.load_image(self._image)
        records = device_records(flash, flash.layout)
        records.mount()
        return str(der.certificate_facts(Store(records, DEVICE).require("web.crt")).common_name)

    def wait(self, what: str, probe: Any) -> Any:
        return wait_until(what, probe, ANSWERS_S, 0.05)

    def owned(self, password: str = PASSWORD) -> FactoryUnit:
        """Set a fresh unit up."""
        self.fresh()
        assert self.world.owner.set_up(self.world.unit.setup_code, password).status == 303
        return self

    @property
    def address(self) -> tuple[str, int]:
        found: tuple[str, int] = self.machine.web_address
        return found

    @property
    def url(self) -> str:
        host, port = self.address
        return f"https://{host}:{port}"


def give_radio(unit: FactoryUnit, passphrase: str) -> Air:
    """Return the air of the unit, which has a radio now, and the passphrase that a station writes for one."""
    machine = unit.machine
    machine.flash.power_on()
    records = device_records(machine.flash, machine.flash.layout)
    records.mount()
    device = Store(records, DEVICE)
    device.write("setup", setup.encode(setup.decode(device.require("setup"))._replace(passphrase=passphrase)))
    machine.air = Air()
    found: Air = machine.air
    return found


def unit_of(on: str, **options: Any) -> Iterator[FactoryUnit]:
    with tempfile.TemporaryDirectory(prefix="firstboot-test-") as folder:
        with running_unit(on, Path(folder), **options) as world:
            yield FactoryUnit(world)


def owned_unit_of(product: Path) -> Iterator[FactoryUnit]:
    """Yield a simulated unit of the product in this file, set up."""
    for unit in unit_of("sim", transports=("mqtt",), inputs=Inputs(product=product)):
        yield unit.owned()


@pytest.fixture(scope="module")
def simulated() -> Iterator[FactoryUnit]:
    """A unit on the simulator."""
    yield from unit_of("sim", transports=("mqtt",))


@pytest.fixture(scope="module")
def calm() -> Iterator[FactoryUnit]:
    """A unit on the simulator that checks for updates once an hour, as a real one may."""
    yield from unit_of("sim", transports=("mqtt",), inputs=Inputs(check_interval_s=3600))


@pytest.fixture(scope="module")
def simulated_past_support() -> Iterator[FactoryUnit]:
    """A unit whose servers report a time after its support period."""
    yield from unit_of("sim", transports=("mqtt",), is_past_support=True)


@pytest.fixture(scope="module")
def emulated() -> Iterator[FactoryUnit]:
    """The real firmware on the emulated board. Without QEMU the test is skipped with a reason."""
    import shutil

    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")
    yield from unit_of("qemu", transports=("mqtt",))

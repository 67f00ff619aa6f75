"""Building and starting a unit: the constructor writes nothing; start() completes interrupted operations."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from device.agent import assembly
from device.agent.unit import Unit
from device.errors import FirstbootError
from device.layout import RESET_POWER_ON
from device.records.store import DEVICE, Store
from device.update.slots import BootState
from simulator import boot as boot_rom
from simulator import virtual
from simulator.powercut.machine import Machine


async def build(machine: Machine, look: Callable[[Unit, Store], None]) -> None:
    """Call `look` with the unit that a start of this machine builds, and its device records."""
    handover = boot_rom.start(machine.flash, machine._layout, machine._key_hashes, lambda _: None)
    assert handover is not None
    ports = await machine._ports(handover, RESET_POWER_ON)
    unit = assembly.assemble(ports, BootState(ports.flash, ports.layout))
    look(unit, Store(ports.mount(DEVICE), DEVICE))


def with_unit(machine: Machine, look: Callable[[Unit, Store], None]) -> None:
    """Do the same in an event loop of its own."""
    virtual.run(build(machine, look))


def test_building_a_unit_writes_nothing_even_if_there_is_something_to_repair(machine: Machine) -> None:
    # As after a power cut between the two writes of set-up.
    with_unit(machine, lambda unit, device: device.delete("owned"))
    before, operations = machine.flash.snapshot(), machine.flash.operations
    with_unit(machine, lambda unit, device: None)
    assert machine.flash.operations == operations
    assert machine.flash.snapshot() == before


def test_starting_a_unit_repairs_what_a_power_cut_left_open(machine: Machine) -> None:
    def look(unit: Unit, device: Store) -> None:
        device.delete("owned")
        unit.start()
        assert device.has("owned")

    with_unit(machine, look)


def test_a_unit_whose_factory_record_is_missing_is_not_built(machine: Machine) -> None:
    with_unit(machine, lambda unit, device: device.delete("contact"))
    with pytest.raises(FirstbootError, match="contact"):
        with_unit(machine, lambda unit, device: None)

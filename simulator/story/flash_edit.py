"""Changes to the flash of a unit without power, as a fault of the flash would make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.ports.flash import SimFlash
from simulator.ports.records import device_records


def edit_device_records(machine: Any, change: Callable[[Any], None]) -> None:
    """Switch `machine` off, mount the records of its device region, and let `change` write some of them."""
    machine.cut_power()
    is_simulated = not hasattr(machine, "nvm")
    flash = SimFlash()
    flash.load_image(machine.flash.image() if is_simulated else machine.nvm.path.read_bytes())
    records = device_records(flash)
    records.mount()
    change(records)
    if is_simulated:
        machine.flash.load_image(flash.image())
    else:
        with machine.nvm.path.open("r+b") as nvm:
            nvm.write(flash.image())

"""Erase or corrupt each sector of an owned unit in turn: it may fail, but it never opens (PW-04, SE-02).

A unit may refuse to boot, or boot and report *failed*. It must not become unprovisioned, return to factory default,
run unsigned code or give access without the password.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

from device.errors import FirstbootError
from device.owner import lifecycle
from device.records.store import DEVICE, Store
from device.update.slots import BootState
from simulator import boot as boot_rom
from simulator.ports.flash import SimFlash
from simulator.powercut import app_sets, checks
from simulator.powercut import bench as made
from simulator.powercut.campaign import Campaign
from simulator.powercut.checks import Findings
from simulator.powercut.errors import BrickedError
from simulator.powercut.machine import Machine
from simulator.powercut.results import Job

NAME: Final = "sectors"
AFTER: Final = "home-link"  # provisioned, owned, updated, with an application and the owner's broker
MODES: Final = ("erase", "corrupt", "zero")


class Damage(NamedTuple):
    """One sector and how it is damaged."""

    seed: int
    sector: int
    mode: str


def damages() -> list[Damage]:
    """Return every used sector of the layout with each kind of damage."""
    found: list[Damage] = []
    for sector in sorted(set(_sectors())):
        found += [Damage(len(found) + at, sector, mode) for at, mode in enumerate(MODES)]
    return found


def _sectors() -> Iterator[int]:
    layout = made.LAYOUT
    size = layout.sector_bytes
    spans = [(offset, size) for offset in (*layout.lock_offsets, layout.revocation_offset)]
    spans += [(layout.counter_offset, layout.counter_sectors * size), (layout.entropy_offset, 2 * size)]
    spans += [(offset, layout.slot_bytes) for offset in layout.slot_offsets]
    spans += [(offset, layout.set_bytes) for offset in layout.set_offsets]
    spans += [(layout.device_offset, layout.device_bytes), (layout.user_offset, layout.user_bytes)]
    for offset, length in spans:
        yield from range(offset // size, (offset + length) // size)


def _damage(flash: SimFlash, damage: Damage) -> None:
    size = made.LAYOUT.sector_bytes
    offset = damage.sector * size
    if damage.mode == "erase":
        flash.erase(offset)
    elif damage.mode == "zero":
        flash.corrupt(offset, bytes(size))
    else:
        noise = random.Random(damage.seed).randbytes(size)  # noqa: S311 - for damage, not for secrets
        flash.corrupt(offset, bytes(a ^ b for a, b in zip(flash.read(offset, size), noise, strict=True)))


def run_damage(campaign: Campaign, damage: Damage) -> Findings:
    """Damage one sector of the unit, then check the running image and the access to the unit."""
    flash = SimFlash(made.LAYOUT)
    flash.restore(campaign.recorded(AFTER).end)
    _damage(flash, damage)
    return judge_damaged(campaign, flash)


def judge_damaged(campaign: Campaign, flash: SimFlash) -> Findings:
    """Check the running image and the access to a unit after the flow AFTER whose flash was damaged."""
    world = campaign.recorded(AFTER).after.copy()
    world.starts += 1000
    found = Findings()
    twin = SimFlash(made.LAYOUT)
    twin.restore(flash.snapshot())
    handover = boot_rom.start(twin, made.LAYOUT, world.bench.key_hashes, lambda _: None)
    if handover is None:
        return found  # it does not boot: closed
    boot = BootState(twin, made.LAYOUT)
    image = world.bench.images.get(handover.info.version[0], b"")
    if not image or boot.read(handover.slot, 0, len(image)) != image:
        found.add(checks.MIXED, "the unit runs an image that is not a release")
    _check_set(twin, handover, found)
    state, _ = checks.state_of(twin)
    if state in (lifecycle.UNPROVISIONED, lifecycle.FACTORY_DEFAULT):
        found.add(checks.OPEN, f"the unit is {state}")
    _try_doors(Machine(flash, world), found)
    return found


def _check_set(flash: SimFlash, handover: boot_rom.Handover, found: Findings) -> None:
    """Check that the firmware runs without a damaged application set, and never with another one."""
    try:
        store = Store(checks.Mounts(flash).mount(DEVICE), DEVICE)
        bundle, sequence = app_sets.running(flash, handover, store)
    except FirstbootError:
        return  # its records cannot be read, so its state is *failed*
    text = app_sets.mixed(handover.info.version[0], bundle, sequence) if bundle is not None else None
    if text is not None:
        found.add(checks.MIXED, text)


def sector_jobs(campaign: Campaign) -> list[Job]:
    """Return all damages as jobs for sweep.run_jobs. Records the unit first, so that workers need not."""
    campaign.recorded(AFTER)
    return [
        Job(
            NAME,
            damage.seed,
            (f"--flow {NAME} --seed {damage.seed} ({damage.mode} sector {damage.sector:#x})",),
        )
        for damage in damages()
    ]


def run_sector(campaign: Campaign, name: str, seed: int) -> Findings:
    """Run the damage with this number. Raises IndexError for an unknown number."""
    return run_damage(campaign, damages()[seed])


def _try_doors(machine: Machine, found: Findings) -> None:
    async def script(machine: Machine) -> None:
        await checks.check_doors(machine, found, timeout_s=20.0)

    try:
        machine.live(script)
    except BrickedError:
        pass  # no pages: closed
    except Exception as error:  # an agent that ends gives no access; print it, but it is not a finding
        machine.console.say(f"{type(error).__name__}")

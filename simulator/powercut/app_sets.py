"""Releases with application sets for campaigns: their contents, which set may run with which image, their flows.

The rule that a campaign checks (docs/design.md, Application sets): an image that was released with a set runs only with
a complete set of its own, both on trial and confirmed. An image that was released without a set runs without one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

from device.errors import FirstbootError, TrialFailedError
from device.records.store import DEVICE, Store
from device.update import releases
from device.update.appset import AppSets
from device.update.slots import BootState
from provisioning.release.payload import APP, Payload
from provisioning.release.release import Release
from simulator import boot as boot_rom
from simulator.ports.flash import SimFlash
from simulator.ports.peers import Content
from simulator.powercut import bench as made
from simulator.powercut.errors import BrickedError
from simulator.powercut.flows import Flow, has_given_up, register
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import status
from simulator.powercut.world import World

# Release number -> number of its image. The second of each pair is published if a cut ended the trial of the first.
FIRST, SECOND = (4, 6), (7, 8)
IMAGES: Final = {4: 4, 6: 5, 7: 4, 8: 4}
SOURCE: Final = """\
import asyncio


async def run(context):
    context.report("release {number}, {{}} bytes".format(len(context.read("table.bin"))))
    while True:
        await asyncio.sleep(3600)
"""


@cache
def bundle_of(number: int) -> bytes:
    """Return the application set of a release."""
    from device.codec import bundle

    return bundle.encode(
        {"__init__.py": SOURCE.format(number=number).encode(), "table.bin": bytes((number,)) * 5000}
    )


def release(bench: made.Bench, number: int, files: bytes | None = None) -> Release:
    """Return release `number` of IMAGES, with the bundle `files` (None: its own)."""
    app = Payload.of(APP, bundle_of(number) if files is None else files)
    return bench.release(number, IMAGES[number], app=app)


def publish(world: World, what: Release) -> None:
    """Publish a release to units; it replaces the one before."""
    content = Content(world.bench.product.class_id, lambda request: None)
    content.put_release(what)
    world.published.update(content.published)


def running(flash: SimFlash, handover: boot_rom.Handover, store: Store) -> tuple[bytes | None, int]:
    """Return the bundle that the next start runs with this image, and its release; else (None, 0). May write a mark."""
    layout = flash.layout
    boot = SimpleNamespace(
        slot=handover.slot,
        image_digest=handover.info.digest,
        is_trial=handover.is_trial,
        version=handover.info.version,
    )
    sets = AppSets(flash, layout)
    found = releases.load(boot, BootState(flash, layout), store, sets)
    found.application.choose(found.pending.read())
    chosen = found.application.running
    if chosen is None:
        return None, 0
    return sets.read(chosen.slot, 0, chosen.binding.size), chosen.binding.sequence


def mixed(number: int, bundle: bytes | None, sequence: int) -> str | None:
    """Return why image `number` must not run with this set; None if it may."""
    has_set = number in IMAGES.values()
    if bundle is None:
        return f"release {number} runs without its application set" if has_set else None
    if IMAGES.get(sequence) != number:
        return f"image {number} runs with the application set of release {sequence}"
    if bundle != bundle_of(sequence):
        return f"the application set of release {sequence} is not the one that was signed"
    return None


def check(flash: SimFlash, handover: boot_rom.Handover, facts: dict[str, object]) -> tuple[str, str] | None:
    """Return the finding about the set of the next start: (kind, text), or None. Writes to `flash`, a copy."""
    from simulator.ports.records import device_records

    records = device_records(flash, flash.layout)
    try:
        records.mount()
        bundle, sequence = running(flash, handover, Store(records, DEVICE))
    except FirstbootError:
        return None  # before provisioning there is no set; checks.py checks the records
    number = int(handover.info.version[0])
    text = mixed(number, bundle, sequence)
    if text is not None:
        return "mixed", text
    known = facts.get("app")
    if (
        known is not None
        and not handover.is_trial
        and IMAGES[int(str(known))] == number
        and sequence < int(str(known))
    ):
        return "lost", f"the application of release {known} was confirmed and that of {sequence} runs"
    return None


# flows -------------------------------------------------------------------------------------------------------
def takes(numbers: tuple[int, int]) -> Callable[[Machine], Awaitable[None]]:
    """Wait for release numbers[0], image and set. If a cut ended its trial, publish and wait for numbers[1]."""

    async def script(machine: Machine) -> None:
        async def probe() -> int | None:
            found = await status(machine)
            number = (found["application"] or {}).get("release", 0)
            if number in numbers and not found["is_trial"]:
                _require_pair(found, number)
                return int(number)
            if number not in numbers and _gave_up(found, numbers[0]):
                publish(machine.world, release(machine.world.bench, numbers[1]))
            return None

        number = await machine.until("the application", probe, 600.0, 1.0)
        machine.record_fact("confirmed", IMAGES[number])
        machine.record_fact("app", number)

    return script


def _require_pair(found: Any, number: int) -> None:
    version = int(str(found["version"]).partition(".")[0])
    says = found["application"]["says"]
    if version != IMAGES[number] or says != f"release {number}, 5000 bytes":
        raise BrickedError(f"image {version} runs with an application that says {says!r}")


def _gave_up(found: Any, number: int) -> bool:
    texts = [event["text"] for event in found["update"]["events"] if event["code"] == TrialFailedError.code]
    has_given_up(found)
    return any(f"sequence={number}" in text for text in texts)


def over(number: int, *, mqtt: bool, coap: bool) -> Callable[[World], None]:
    """Return the change of a world that publishes release `number` over these transports."""

    def arrange(world: World) -> None:
        world.has_mqtt, world.has_coap = mqtt, coap
        publish(world, release(world.bench, number))

    return arrange


def _switch(world: World) -> None:
    world.has_mqtt, world.has_coap = world.has_coap, world.has_mqtt


register(Flow("update-app", "set-up", takes(FIRST), over(FIRST[0], mqtt=True, coap=False), _switch))
register(Flow("app-only", "update-app", takes(SECOND), over(SECOND[0], mqtt=False, coap=True)))

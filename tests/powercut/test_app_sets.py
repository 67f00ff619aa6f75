"""Every sector of the application slots, erased or damaged: no wrong set runs, the unit keeps working (SE-09)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from device.errors import AppSetError
from simulator import boot as boot_rom
from simulator.ports.flash import SimFlash
from simulator.powercut import app_sets
from simulator.powercut.bench import LAYOUT, Bench
from simulator.powercut.campaign import Campaign
from simulator.powercut.checks import check_at_rest
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import status

SECTORS = [
    offset + at for offset in LAYOUT.set_offsets for at in range(0, LAYOUT.set_bytes, LAYOUT.sector_bytes)
]
MODES = ("erase", "corrupt", "zero")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(Bench(tmp_path_factory.mktemp("bench")))


def damaged(campaign: Campaign, sector: int, mode: str) -> Machine:
    """Return the unit after release 7, an application without firmware, with one sector changed."""
    recorded = campaign.recorded("app-only")
    flash = SimFlash(LAYOUT)
    flash.restore(recorded.end)
    if mode == "erase":
        flash.erase(sector)
    elif mode == "zero":
        flash.corrupt(sector, bytes(LAYOUT.sector_bytes))
    else:
        flash.corrupt(sector, random.Random(sector).randbytes(LAYOUT.sector_bytes))
    world = recorded.after.copy()
    world.starts += 700
    return Machine(flash, world)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sector", SECTORS, ids=hex)
def test_a_damaged_sector_never_makes_a_wrong_set_run(campaign: Campaign, sector: int, mode: str) -> None:
    machine = damaged(campaign, sector, mode)
    rest = SimFlash(LAYOUT)
    rest.restore(machine.flash.snapshot())
    handover = boot_rom.start(rest, LAYOUT, machine.world.bench.key_hashes, lambda _: None)
    assert handover is not None and handover.info.version[0] == 4
    runs = check_at_rest(machine.flash, machine.world)
    # The only allowed findings are an image without its set, or with its older one: both are reported and repaired.
    assert all("without its application" in text or "that of 4 runs" in text for text in runs.texts)
    machine.world.has_mqtt, machine.world.has_coap = True, False
    machine.connect()

    async def mended(one: Machine) -> Any:
        async def look() -> Any:
            found = await status(one)
            app = found["application"] or {}
            return found if app.get("release") == 7 and not found["is_trial"] else None

        return await one.until("release 7", look, 600.0, 1.0)

    found = machine.live(mended)
    assert found["application"]["says"] == "release 7, 5000 bytes"
    reported = [one["text"] for one in found["update"]["events"] if one["code"] == AppSetError.code]
    assert bool(reported) == bool(runs.texts)
    assert app_sets.mixed(4, *_running(machine)) is None


def _running(machine: Machine) -> tuple[bytes | None, int]:
    rest = SimFlash(LAYOUT)
    rest.restore(machine.flash.snapshot())
    handover = boot_rom.start(rest, LAYOUT, machine.world.bench.key_hashes, lambda _: None)
    assert handover is not None
    return app_sets.running(rest, handover, machine.records())

"""Bit rot: one bit flips in a unit that is off. It may refuse to work, but it never works with a wrong value.

The unit is at the end of the flow `home-link`, so it has almost every kind of record. One case is one bit: in each
stored record its first, middle and last byte, its digest included; in each other place the bits that a seed names.

1. A record reads as before, as an earlier content of the same record, or as an error: nothing else.
2. The unit stays closed and runs only a signed release with its own application set.
3. A bit in free flash, in the slot that does not run, or in a record of SURVIVED must not stop the unit.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

from device.errors import FirstbootError
from device.owner import lifecycle
from device.records.store import DEVICE, DIGEST_BYTES, RECORDS, USER, Store
from simulator.ports.flash import SimFlash
from simulator.powercut import bench as made
from simulator.powercut import checks, sectors
from simulator.powercut.campaign import Campaign
from simulator.powercut.checks import Findings
from simulator.powercut.flows import FLOWS
from simulator.powercut.results import Job

NAME: Final = "rot"
AFTER: Final = sectors.AFTER
BITS: Final = 4  # in each sector that is not blank
# Records whose damage must not stop the unit: it still starts, asks for the password and takes updates.
SURVIVED: Final = (
    "appset", "attempts", "contact.newest", "crashes", "events", "failed", "floors", "home", "keyset", "news",
    "oscore.seq", "owned", "pending", "press", "progress", "settings", "unheard", "withheld",
)  # fmt: skip
_REGIONS: Final = {DEVICE: "device", USER: "user"}


class Flip(NamedTuple):
    """One bit: its offset in flash, its number in the byte, the record that it is in ("" for another place)."""

    offset: int
    bit: int
    record: str
    place: str


def flips(campaign: Campaign) -> list[Flip]:
    """Return every case, in the order of their seeds."""
    flash = _unit(campaign)
    found = list(_in_records(flash))
    taken = {flip.offset for flip in found}
    found += [flip for flip in _in_sectors(flash) if flip.offset not in taken]
    return found


def _unit(campaign: Campaign) -> SimFlash:
    flash = SimFlash(made.LAYOUT)
    flash.restore(campaign.recorded(AFTER).end)
    return flash


def _in_records(flash: SimFlash) -> Iterator[Flip]:
    image = flash.image()
    layout = flash.layout
    spans = {
        DEVICE: (layout.device_offset, layout.device_bytes),
        USER: (layout.user_offset, layout.user_bytes),
    }
    mounts = checks.Mounts(flash)
    for record in RECORDS:
        stored = mounts.mount(record.region).read(record.name)
        if stored is None:
            continue
        start, length = spans[record.region]
        at = image.rfind(stored[: 2 * DIGEST_BYTES], start, start + length)
        if at < 0:
            raise ValueError(f"record {record.name} is not found in the flash")
        for index in sorted({0, DIGEST_BYTES, (DIGEST_BYTES + len(stored)) // 2, len(stored) - 1}):
            if image[at : at + len(stored)] == stored or index < 2 * DIGEST_BYTES:
                yield Flip(at + index, index % 8, record.name, f"record {record.name}, byte {index}")


def _in_sectors(flash: SimFlash) -> Iterator[Flip]:
    size = flash.sector_bytes
    for sector in sorted(flash.snapshot()):
        content = flash.read(sector * size, size)
        if content == b"\xff" * size:
            continue
        chance = random.Random(f"rot {sector}")  # noqa: S311 - for damage, not for secrets
        used = [at for at, byte in enumerate(content) if byte != 0xFF]
        for at in sorted({*chance.sample(used, min(BITS - 1, len(used))), chance.randrange(size)}):
            yield Flip(sector * size + at, chance.randrange(8), "", f"sector {sector:#x}, byte {at}")


def rot_jobs(campaign: Campaign) -> list[Job]:
    """Return all flips as jobs. Records the unit first, so that workers need not."""
    return [
        Job(NAME, seed, (f"--flow {NAME} --seed {seed} (bit {flip.bit} at {flip.offset:#x}: {flip.place})",))
        for seed, flip in enumerate(flips(campaign))
    ]


def run_rot(campaign: Campaign, name: str, seed: int) -> Findings:
    """Run the flip with this number. Raises IndexError for an unknown number."""
    return run_flip(campaign, flips(campaign)[seed])


def run_flip(campaign: Campaign, flip: Flip) -> Findings:
    """Flip one bit of the unit, then check what it reads, what it runs and its doors."""
    flash = _unit(campaign)
    before = _contents(flash)
    earlier = _earlier(campaign)
    flash.corrupt(flip.offset, bytes((flash.read(flip.offset, 1)[0] ^ 1 << flip.bit,)))
    found = Findings()
    for record, data in _contents(flash).items():
        if data == before[record] or isinstance(data, FirstbootError) or data in earlier.get(record, ()):
            continue
        found.add(
            checks.LOST, f"record {record} silently reads {'nothing' if data is None else 'another content'}"
        )
    found.merge_all(sectors.judge_damaged(campaign, flash))
    if flip.record in SURVIVED:
        _require_alive(flash, flip, found)
    return found


def _require_alive(flash: SimFlash, flip: Flip, found: Findings) -> None:
    state, reason = checks.state_of(flash)
    if state != lifecycle.INITIALISED:
        found.add(checks.BRICKED, f"one bit of {flip.place} stops the unit: {state}, {reason}")


def _contents(flash: SimFlash) -> dict[str, bytes | FirstbootError | None]:
    """Return what each record reads: its data, None if it is absent, or the error."""
    found: dict[str, bytes | FirstbootError | None] = {}
    mounts = checks.Mounts(flash)
    for record in RECORDS:
        try:
            found[record.name] = Store(mounts.mount(record.region), record.region).read(record.name)
        except FirstbootError as error:
            found[record.name] = error
    return found


def _flows_to(name: str) -> list[str]:
    """Return the flows that lead to the end of flow `name`, the first one first."""
    before = FLOWS[name].after
    return [*(_flows_to(before) if before is not None else ()), name]


_lives: dict[int, dict[str, set[bytes | None]]] = {}


def _earlier(campaign: Campaign) -> dict[str, set[bytes | None]]:
    """Return every content that each record had in the unit's life. littlefs falls back to one of them (see docs)."""
    if id(campaign) not in _lives:
        seen: dict[str, set[bytes | None]] = {}
        flash = SimFlash(made.LAYOUT)
        for name in _flows_to(AFTER):
            for state in campaign.recorded(name).recording.states:
                flash.restore(state)
                for record, data in _contents(flash).items():
                    if not isinstance(data, FirstbootError):
                        seen.setdefault(record, set()).add(data)
        _lives[id(campaign)] = seen
    return _lives[id(campaign)]

"""When two units are the same: by their bytes, and by what their bytes mean.

By bytes (`unit_digest`): every byte of flash and all that is known outside. Flash and facts determine the unit's
further life, so cuts that leave the same bytes are one case.

By meaning (`restart_key`): the same, but a littlefs region that the unit has written since the cut counts by the
records in it, not by its log. A unit that restarts in a state in which another one restarted, and came to its end
without a finding, comes to the same end: the run may stop there. A region that was not written since the cut still
counts by its bytes, because then what the cut tore is still in it.
"""

from __future__ import annotations

from hashlib import blake2b

from device.layout import NvmLayout
from device.records.store import RECORDS
from simulator.ports import record_contents
from simulator.ports.flash import SimFlash
from simulator.ports.torn import UnstableSector
from simulator.powercut.world import World

BYTES = 8
KEPT = 100_000  # digests of sectors
_sectors: dict[bytes, bytes] = {}


def _sector_digest(sector: bytes) -> bytes:
    """Return a digest of a sector; equal sectors are hashed once."""
    if isinstance(sector, UnstableSector):
        return blake2b(bytes(sector) + sector.mask, digest_size=BYTES).digest()
    found = _sectors.get(sector)
    if found is None:
        if len(_sectors) > KEPT:
            _sectors.clear()
        found = _sectors[sector] = blake2b(sector, digest_size=BYTES).digest()
    return found


def _known_outside(world: World) -> bytes:
    """Return what the world outside knows and offers, without what differs in every run (nonces)."""
    facts = sorted((name, repr(value)) for name, value in world.facts().items() if name not in _EACH_TIME)
    offered = sorted(
        (name, blake2b(data, digest_size=BYTES).digest()) for name, data in world.published.items()
    )
    servers = (world.has_mqtt, world.has_coap, world.serves_trials, world.is_down, world.changed_from)
    return repr((facts, max(world.numbers, default=-1), offered, servers)).encode()


_EACH_TIME = ("nonce", "number", "report")


def unit_digest(flash: SimFlash, world: World) -> bytes:
    """Return 8 bytes that determine the unit's further life: of its flash, and of what is known outside."""
    total = blake2b(_known_outside(world), digest_size=BYTES)
    for number, sector in sorted(flash.snapshot().items()):
        total.update(number.to_bytes(4, "little") + _sector_digest(sector))
    return total.digest()


class AtCut:
    """The regions of a unit as a cut left them, to tell which of them the unit has written since."""

    def __init__(self, flash: SimFlash) -> None:
        self._regions = [flash.sectors(offset, count) for offset, count in _regions(flash.layout)]

    def restart_key(self, flash: SimFlash, world: World, reason: int) -> bytes | None:
        """Return what the unit's life depends on from a restart for `reason` on; None if it cannot be compared."""
        if flash.has_unstable_bits:
            return None
        total = blake2b(_known_outside(world) + bytes((reason,)), digest_size=16)
        skipped: set[int] = set()
        for before, (offset, count) in zip(self._regions, _regions(flash.layout), strict=True):
            sectors = flash.sectors(offset, count)
            contents = record_contents.of(sectors, flash.sector_bytes)
            if sectors != before and contents.is_mountable():
                for record in RECORDS:
                    data = contents.read(record.name)
                    total.update(b"-" if data is None else blake2b(data, digest_size=BYTES).digest())
                first = offset // flash.sector_bytes
                skipped.update(range(first, first + count))
        for number, sector in sorted(flash.snapshot().items()):
            if number not in skipped:
                total.update(number.to_bytes(4, "little") + _sector_digest(sector))
        return total.digest()


def _regions(layout: NvmLayout) -> list[tuple[int, int]]:
    """Return offset and number of sectors of each littlefs region."""
    size = layout.sector_bytes
    return [
        (layout.device_offset, layout.device_bytes // size),
        (layout.user_offset, layout.user_bytes // size),
    ]


class Judged:
    """The restarts from which some run of a flow came to its end without a finding.

    One in `CONTROL` of them is never used, so that runs still continue from there and are judged to the end: if
    stopping were wrong, a long campaign would show it.
    """

    CONTROL = 16

    def __init__(self) -> None:
        self.is_used = True
        self._clean: set[tuple[str, bytes]] = set()
        self.stopped = 0

    def may_stop(self, flow: str, key: bytes) -> bool:
        """Return whether a run of `flow` that restarts in this state needs no further judging."""
        if not self.is_used or (flow, key) not in self._clean or key[0] % self.CONTROL == 0:
            return False
        self.stopped += 1
        return True

    def add(self, flow: str, keys: list[bytes]) -> None:
        """Add the restarts of a run of `flow` without findings."""
        self._clean.update((flow, key) for key in keys)

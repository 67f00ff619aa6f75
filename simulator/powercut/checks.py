"""The conditions that a unit must meet after any power cut. Each finding has one of five kinds.

bricked: nothing boots, or the unit does not finish what it was doing.  open: it gives access to someone without the
right to it.  mixed: it runs something that is not a signed release, or one without trial or confirmation.  lost: a fact
that was known outside of the unit is no longer true.  nonce_reuse: an OSCORE or freshness nonce was used twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

from device.agent.agent import Ports, state_facts
from device.codec import cose
from device.errors import FirstbootError
from device.layout import NvmLayout
from device.limits import KEYSET_BYTES, KEYSET_SIGNATURES
from device.owner import lifecycle
from device.records import counters
from device.records.store import DEVICE, RECORDS, USER, Store
from device.trust import keyset
from device.update import trial_state
from device.update.slots import BootState
from simulator import boot as boot_rom
from simulator.ports.flash import SimFlash
from simulator.powercut import app_sets, home
from simulator.powercut import bench as made
from simulator.powercut.machine import Machine
from simulator.powercut.releases import code_of

BRICKED: Final = "bricked"
OPEN: Final = "open"
MIXED: Final = "mixed"
LOST: Final = "lost"
NONCE_REUSE: Final = "nonce_reuse"
KINDS: Final = (BRICKED, OPEN, MIXED, LOST, NONCE_REUSE)
NEEDED: Final = (
    "identity",
    "anchors",
    "oscore",
    "oscore.seq",
    "device.key",
    "support",
)  # of every locked unit
WRONG_PASSWORD = "no one ever chose this one"  # noqa: S105 - it opens nothing


@dataclass
class Findings:
    """The findings of one case or a whole campaign; `texts` describes each."""

    counts: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)

    def add(self, kind: str, text: str) -> None:
        """Add one finding of `kind`."""
        self.counts[kind] += 1
        self.texts.append(f"{kind}: {text}")

    def merge(self, other: Findings, cut: str) -> None:
        """Add the findings of one case; `cut` describes it."""
        self.counts.update(other.counts)
        self.texts += [f"{cut}: {text}" for text in other.texts]

    def merge_all(self, other: Findings) -> None:
        """Add the findings of another check of the same case."""
        self.counts.update(other.counts)
        self.texts += other.texts


class Maker(Protocol):
    """The maker's knowledge about the unit."""

    @property
    def images(self) -> dict[int, bytes]:
        """Signed images by release number."""

    @property
    def counters(self) -> dict[int, int]:
        """The security counter of each release."""

    @property
    def key_hashes(self) -> tuple[bytes, ...]:
        """The SHA-256 of each image key that the boot ROM accepts."""

    def fresh_user_region(self, layout: NvmLayout) -> bytes:
        """Return the bytes of the user region of a unit that leaves the factory."""


class Outside(Protocol):
    """Facts about a unit that are known outside of it, simulated or on the emulated board."""

    @property
    def bench(self) -> Maker:
        """The bench that made the unit, with the maker's knowledge about it."""

    @property
    def numbers(self) -> dict[int, bytes]:
        """The OSCORE sender numbers that a server received, with a digest of each message."""

    @property
    def changed_from(self) -> int | None:
        """The first release with another record format, or None (releases.py)."""

    def facts(self) -> dict[str, object]:
        """Return the last value of each fact, by name."""


def _copy(flash: SimFlash) -> SimFlash:
    twin = SimFlash(flash.layout)
    twin.restore(flash.snapshot())
    return twin


class Mounts(Machine):
    """The part of the ports that agent.state_facts needs: regions to mount."""

    def __init__(self, flash: SimFlash) -> None:
        self.flash = flash
        self._layout = flash.layout

    mount = Machine._mount


def facts_of(flash: SimFlash) -> lifecycle.Facts:
    """Return the durable facts in the flash, as the agent reads them at a start."""
    return state_facts(cast(Ports, Mounts(flash)), BootState(flash, flash.layout))


def state_of(flash: SimFlash) -> tuple[str, str]:
    """Return the life-cycle state of the flash and the reason if it is *failed*."""
    facts = facts_of(flash)
    return lifecycle.derive(facts), lifecycle.reason(facts)


def check_at_rest(flash: SimFlash, world: Outside) -> Findings:
    """Check the flash of a unit that is off: what boots, its state and its records. Does not change the flash."""
    found = Findings()
    flash = _copy(flash)
    facts = world.facts()
    handover = boot_rom.start(flash, flash.layout, world.bench.key_hashes, lambda _: None)
    if handover is None:
        found.add(BRICKED, "the boot ROM finds nothing to start")
        return found
    boot = BootState(flash, flash.layout)
    number = _check_image(boot, handover, world, found)
    for reader in _readers(boot, handover, number, world):
        with code_of(reader, world.changed_from):
            _check_state(flash, world, facts, found)
            if "locked" in facts:
                _check_progress(flash, world, facts, found)
    confirmed = facts.get("confirmed")
    if confirmed is not None and not handover.is_trial and number < int(str(confirmed)):
        found.add(LOST, f"release {confirmed} was confirmed and {number} runs")
    for wrong in (app_sets.check(flash, handover, facts), home.check(flash, state_of(flash)[0], facts)):
        if wrong is not None:
            found.add(*wrong)
    return found


def _readers(boot: BootState, handover: boot_rom.Handover, number: int, world: Outside) -> set[int]:
    """Return the releases that must be able to read the records: the one that starts, and the one before a trial."""
    found = {number}
    if handover.is_trial:
        found.add(_confirmed_number(boot, 1 - handover.slot, world) or number)
    return found


def _check_image(boot: BootState, handover: boot_rom.Handover, world: Outside, found: Findings) -> int:
    """Check the image. Returns the number of the running release, 0 if it is not a release."""
    number = int(handover.info.version[0])
    image = world.bench.images.get(number, b"")
    if not image or boot.read(handover.slot, 0, len(image)) != image:
        found.add(MIXED, f"slot {handover.slot} runs and does not contain a release")
        return 0
    marks = boot.marks(handover.slot)
    if not handover.is_trial and not marks.is_confirmed:
        found.add(MIXED, f"release {number} runs neither on trial nor confirmed")
    least = world.bench.counters[1]
    for slot, image_number in ((n, _confirmed_number(boot, n, world)) for n in (0, 1)):
        if image_number is not None and boot.marks(slot).is_confirmed:
            least = max(least, world.bench.counters[image_number])
    if boot.security_counter() > least:
        found.add(LOST, "the security counter was raised before its release was confirmed")
    return number


def _confirmed_number(boot: BootState, slot: int, world: Outside) -> int | None:
    for number, image in world.bench.images.items():
        if boot.read(slot, 0, len(image)) == image:
            return number
    return None


def _check_state(flash: SimFlash, world: Outside, facts: dict[str, object], found: Findings) -> None:
    state, reason = state_of(flash)
    if "locked" in facts and state == lifecycle.UNPROVISIONED:
        found.add(OPEN, "a locked unit is unprovisioned")
    if "owned" in facts and state == lifecycle.FACTORY_DEFAULT:
        if "reset" not in facts:
            found.add(OPEN, "an owned unit is in factory default")
        elif not _is_fresh(flash, world):
            found.add(OPEN, "the last owner's data is still stored in factory default")
    # An unfinished factory reset keeps the unit closed; the next start continues it.
    if state == lifecycle.FAILED and "reset" not in facts:
        found.add(BRICKED, "the unit failed: " + reason)


def _is_fresh(flash: SimFlash, world: Outside) -> bool:
    """Return whether the user region is a fresh unit's, byte for byte (PW-03)."""
    start, length = flash.layout.user_offset, flash.layout.user_bytes
    return flash.read(start, length) == world.bench.fresh_user_region(flash.layout)


def _all_records(store: Store, region: str) -> dict[str, bytes | None]:
    """Return every record of the region. Raises RecordDamagedError: a cut must leave the old or the new one."""
    return {record.name: store.read(record.name) for record in RECORDS if record.region == region}


def _check_progress(flash: SimFlash, world: Outside, facts: dict[str, object], found: Findings) -> None:
    try:
        store = Store(Mounts(flash).mount(DEVICE), DEVICE)
        held = _all_records(store, DEVICE)
        data = held["progress"]
        progress = trial_state.NO_PROGRESS if data is None else trial_state.decode_progress(data)
        if "owned" in facts and "reset" not in facts:
            user = Store(Mounts(flash).mount(USER), USER)
            _all_records(user, USER)
            for lost in counters.lost(store, user):
                found.add(LOST, lost.describe())
    except FirstbootError as error:
        found.add(BRICKED, f"records cannot be read: {error.describe()}")
        return
    for name in NEEDED:
        if held[name] is None:
            found.add(LOST, f"record {name} is gone")
    confirmed = facts.get("confirmed")
    if confirmed is not None and progress.manifest_sequence < int(str(confirmed)):
        found.add(LOST, f"sequence {confirmed} was confirmed, {progress.manifest_sequence} is stored")
    if confirmed is not None and held["pending"] is None:  # else the next start completes the confirm
        least, stored_counter = (
            world.bench.counters[int(str(confirmed))],
            BootState(flash, flash.layout).security_counter(),
        )
        if stored_counter < least:
            found.add(
                LOST, f"release {confirmed} was confirmed, and the security counter is {stored_counter}"
            )
    _check_memory(store, held, progress, found)
    highest = max(world.numbers, default=-1)
    stored = held["oscore.seq"]
    if highest >= 0 and (stored is None or int.from_bytes(stored, "big") <= highest):
        found.add(NONCE_REUSE, f"OSCORE number {highest} was used and is not reserved")


def _check_memory(
    store: Store, held: dict[str, bytes | None], progress: trial_state.Progress, found: Findings
) -> None:
    """Check records against each other: no verdict that a cut caused, no key set without the floor of its time."""
    for entry in (store.read_map("failed") or {}).get(1, ()):
        found.add(BRICKED, f"release {entry[0]} is refused permanently: {trial_state.CAUSES[entry[2]]}")
    signed = held["keyset"]
    if signed is not None:
        floor_s = keyset.decode(cose.decode(signed, KEYSET_BYTES, KEYSET_SIGNATURES).payload).root_time_s
        if progress.time_floor_s < floor_s:
            found.add(LOST, "the key set is stored without the floor of its time")


async def check_doors(machine: Machine, found: Findings, timeout_s: float = 300.0) -> None:
    """Try the requests that the unit must refuse: a page without a session, a wrong password, a used set-up code."""
    facts = machine.world.facts()
    if "locked" not in facts:
        return

    async def probe() -> int | None:
        answer = await machine.request("GET", "/status.json")
        return answer.status

    if await machine.until("the pages", probe, timeout_s) == 200:
        found.add(OPEN, "the status page answers without a session")
    answer = await machine.request("POST", "/login", {"password": WRONG_PASSWORD})
    if answer.session or answer.status == 303:
        found.add(OPEN, "a wrong password signs in")
    if "owned" in facts and "reset" not in facts:
        form = {"code": made.CODE, "password": WRONG_PASSWORD}
        if (await machine.request("POST", "/setup", form)).status == 303:
            found.add(OPEN, "the set-up code works on an owned unit")

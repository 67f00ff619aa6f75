"""Bugs in slots, marks, security counter, lock and boot ROM."""

from __future__ import annotations

from typing import Any, Final, cast

from device.codec.image import parse_image
from device.layout import (
    MARK_CONFIRMED,
    MARK_TRIED,
    UNIT_COUNTED,
    UNIT_LOCKED,
    UNIT_TRIED,
)
from device.limits import CHUNK_BYTES
from device.update import flow, slots
from device.update.appset import AppSets
from device.update.pending import PendingRelease
from device.update.slots import BootState, Marks, Slots
from simulator import boot as boot_rom
from simulator.powercut.planted.plant import ROT, SECTORS, Bug, Plant


def _counter_before_confirm(plant: Plant) -> None:
    confirm = Slots.confirm

    def early(self: Slots, slot: int) -> None:
        if isinstance(self, BootState):
            self.raise_security_counter(2)
        confirm(self, slot)

    plant.put(Slots, "confirm", early)


def _same_confirm_sequence(plant: Plant) -> None:
    def confirm(self: Slots, slot: int) -> None:
        if not self.marks(slot).is_confirmed:
            self._flash.write(self._trailer(slot) + MARK_CONFIRMED, slots.confirmed_unit(1))

    plant.put(Slots, "confirm", confirm)


def _marks(plant: Plant, change: Any) -> None:
    marks = Slots.marks
    plant.put(Slots, "marks", lambda self, slot: change(self, slot, marks(self, slot)))


def _torn_tried_ignored(plant: Plant) -> None:
    def whole(self: Slots, slot: int, found: Marks) -> Marks:
        unit = self._flash.read(self._trailer(slot) + MARK_TRIED, self._layout.unit_bytes)
        return found._replace(is_tried=unit == UNIT_TRIED)

    _marks(plant, whole)


def _stage_confirms(plant: Plant) -> None:
    stage = Slots.stage

    def both(self: Slots, slot: int) -> None:
        stage(self, slot)
        self.confirm(slot)

    plant.put(Slots, "stage", both)


def _tried_is_not_marked(plant: Plant) -> None:
    plant.put(Slots, "mark_tried", lambda self, slot: None)


def _chunk_is_not_erased(plant: Plant) -> None:
    plant.put(Slots, "rewrite_sector", lambda self, slot, offset, data: self.program(slot, offset, data))


def _stored_chunk_is_trusted(plant: Plant) -> None:
    def is_stored(where: Slots, slot: int, index: int, size: int, digest: bytes) -> bool:
        content = where.read(slot, index * CHUNK_BYTES, size)
        return content != b"\xff" * size

    plant.put(flow, "_is_stored", is_stored)


def _nothing_is_read_back(plant: Plant) -> None:
    """Trust what is stored, and do not compare the whole afterwards."""
    _stored_chunk_is_trusted(plant)
    bring = flow._bring

    def unread(where: Any, slot: int, chunks: Any, payload: Any, names: Any) -> Any:
        class Blind:
            def __getattr__(self, name: str) -> Any:
                return getattr(where, name)

            def digest(self, slot: int, size: int) -> bytes:
                found: bytes = payload.digest
                return found

        return bring(cast(Any, Blind()), slot, chunks, payload, names)

    plant.put(flow, "_bring", unread)


def _torn_counter_unit_ignored(plant: Plant) -> None:
    def counter(self: BootState) -> int:
        unit = self._layout.unit_bytes
        for step in range(self.counter_capacity):
            if self._flash.read(self._layout.counter_offset + step * unit, unit) != UNIT_COUNTED:
                return step
        return self.counter_capacity

    plant.put(BootState, "security_counter", counter)


def _counter_is_not_raised(plant: Plant) -> None:
    plant.put(PendingRelease, "_count_up", lambda self, pending: None)


def _counter_only_in_the_trial(plant: Plant) -> None:
    """A confirm that a cut interrupted is finished without the counter."""
    count_up = PendingRelease._count_up
    plant.put(
        PendingRelease, "_count_up", lambda self, pending: count_up(self, pending) if self.is_trial else None
    )


def _half_lock_is_open(plant: Plant) -> None:
    def is_locked(self: BootState) -> bool:
        unit = self._layout.unit_bytes
        return all(self._flash.read(offset, unit) == UNIT_LOCKED for offset in self._layout.lock_offsets)

    plant.put(BootState, "is_locked", is_locked)


def _one_lock(plant: Plant) -> None:
    def lock(self: BootState) -> None:
        self._flash.write(self._layout.lock_offsets[0], UNIT_LOCKED)

    def is_locked(self: BootState) -> bool:
        return self._flash.read(self._layout.lock_offsets[0], 32) == UNIT_LOCKED

    plant.put(BootState, "lock", lock)
    plant.put(BootState, "is_locked", is_locked)


def _rom_checks_no_digest(plant: Plant) -> None:
    def any_image(boot: BootState, slot: int, keys: object) -> tuple[object, int]:
        return parse_image(lambda offset, length: boot.read(slot, offset, length), boot.slot_limit_bytes), 0

    plant.put(boot_rom, "verify_slot", any_image)


def _set_is_not_checked(plant: Plant) -> None:
    """A set counts as unchanged whatever its bytes are."""
    digest = Slots.digest

    def trusting(self: Slots, slot: int, size: int, start: int = 0) -> bytes:
        if isinstance(self, AppSets):
            binding = self.binding(slot)
            if binding is not None and binding.size == size:
                found: bytes = binding.digest
                return found
        return digest(self, slot, size, start)

    plant.put(Slots, "digest", trusting)


SLOTS: Final = [
    Bug("counter-before-confirm", "the security counter is raised before the confirm mark", "update-mqtt",
        _counter_before_confirm),
    Bug("same-confirm-sequence", "every confirm mark has the same number", "update-mqtt", _same_confirm_sequence),
    Bug("torn-tried-ignored", "a torn tried mark counts as none", "update-mqtt", _torn_tried_ignored),
    Bug("stage-confirms", "a release is confirmed when it is staged", "revert", _stage_confirms),
    Bug("tried-not-marked", "a trial is not marked as tried", "revert", _tried_is_not_marked),
    Bug("chunk-not-erased", "a chunk is written without erasing its sector", "update-mqtt", _chunk_is_not_erased),
    Bug("stored-chunk-trusted", "a chunk that is there is not compared", "update-mqtt", _stored_chunk_is_trusted),
    Bug("no-read-back", "neither chunks nor the payload are read back", "update-coap", _nothing_is_read_back),
    Bug("torn-counter-ignored", "a torn unit of the security counter does not count", "update-mqtt",
        _torn_counter_unit_ignored),
    Bug("counter-not-raised", "the security counter is never raised", "update-mqtt", _counter_is_not_raised),
    Bug("counter-not-finished", "a start after a cut confirm leaves the counter", "update-mqtt",
        _counter_only_in_the_trial),
    Bug("half-lock-open", "a damaged lock counts as open", "sectors", _half_lock_is_open, SECTORS),
    Bug("one-lock", "the lock has one copy", "sectors", _one_lock, SECTORS),
    Bug("rom-no-digest", "the boot ROM checks no digest", "sectors", _rom_checks_no_digest, SECTORS),
    Bug("rom-no-digest-bit", "the boot ROM checks no digest, one bit", "rot", _rom_checks_no_digest, ROT),
    Bug("set-not-checked", "an application set runs without a check of its bytes", "sectors", _set_is_not_checked,
        SECTORS),
    Bug("set-not-checked-bit", "the same, one bit", "rot", _set_is_not_checked, ROT),
]  # fmt: skip

"""Bugs in the update: staging, confirm, key set, application set, delta, OSCORE numbers, nonces."""

from __future__ import annotations

from typing import Any, Final

from device.agent import sources
from device.limits import OSCORE_SEQUENCE_STEP
from device.net.sender_sequence import SenderSequence
from device.records import freshness
from device.records.store import Store
from device.update import flow, trial_state
from device.update.appset import AppSets, Binding
from device.update.pending import PendingRelease
from device.update.slots import BootState
from device.update.trusted_state import TrustedState
from simulator.powercut.planted.plant import Bug, Plant


def _staged_first(plant: Plant) -> None:
    """Stage the slot before its content is there."""
    bring = flow._bring_firmware
    stage = BootState.stage

    def early(manifest: Any, boot: BootState, slot: int) -> Any:
        stage(boot, slot)
        return (yield from bring(manifest, boot, slot))

    def once(self: BootState, slot: int) -> None:
        if not self.marks(slot).is_staged:
            stage(self, slot)

    plant.put(flow, "_bring_firmware", early)
    plant.put(BootState, "stage", once)


def _record_deleted_before_confirm(plant: Plant) -> None:
    """Sequence and `pending` first, the mark last."""
    finish = PendingRelease._finish

    def confirm(self: PendingRelease) -> Any:
        found = self.read()
        if found is None or not self.is_trial:
            return None
        slots, index = self._slots_of(found.slot)
        error = finish(self, found)
        slots.confirm(index)
        self.is_trial = False
        self._on_confirmed()
        return error

    plant.put(PendingRelease, "confirm", confirm)


def _finish_forgotten(plant: Plant) -> None:
    """A start after a cut confirm does not complete it."""
    decide = trial_state.decide

    def never(*about: Any) -> str:
        found: str = decide(*about)
        return trial_state.NOTHING if found == trial_state.FINISH else found

    plant.put(trial_state, "decide", never)


def _confirm_without_server(plant: Plant) -> None:
    """The trial is confirmed at its start, before any server answered."""
    reconcile = PendingRelease.reconcile

    def at_once(self: PendingRelease) -> Any:
        found = reconcile(self)
        if self.is_trial:
            self.confirm()
        return found

    plant.put(PendingRelease, "reconcile", at_once)


def _cut_condemns(plant: Plant) -> None:
    """A trial that ended by a power cut is a failure of the release."""
    plant.put(trial_state, "is_transient", lambda found, reason: False)


def _migrated_before_confirm(plant: Plant) -> None:
    confirm = PendingRelease.confirm

    def early(self: PendingRelease) -> Any:
        if self.is_trial:
            self._on_confirmed()
        return confirm(self)

    plant.put(PendingRelease, "confirm", early)


def _trial_writes_its_form(plant: Plant) -> None:
    plant.put(Store, "is_settled", property(lambda self: True, lambda self, value: None))


def _migration_deletes(plant: Plant) -> None:
    """A migrated record is deleted before it is written in the new form."""
    migrate, write = Store.migrate, Store.write

    def deleting(self: Any) -> int:
        def replace(name: str, data: bytes) -> None:
            self.delete(name)
            write(self, name, data)

        self.write = replace
        try:
            return int(migrate(self))
        finally:
            del self.write

    plant.put(Store, "migrate", deleting)


def _migration_stops(plant: Plant) -> None:
    """The migration counts as done after one record."""

    def nothing(self: Store) -> int:
        self.is_settled = True
        return 0

    plant.put(Store, "migrate", nothing)


# --- key set ----------------------------------------------------------------------------------------------------
def _keys_before_floors(plant: Plant) -> None:
    """The key set is stored before the floors that its keys lower or keep."""
    refresh = TrustedState.refresh_keys

    async def early(self: Any, source: Any, renew_keys: Any) -> bool:
        save = self._progress.save
        late: list[Any] = []
        write = self._store.write

        def keep(name: str, data: bytes) -> None:
            write(name, data)
            if name == "keyset":
                for progress in late:
                    save(progress)

        self._progress.save = late.append
        self._store.write = keep
        try:
            return bool(await refresh(self, source, renew_keys))
        finally:
            del self._progress.save, self._store.write

    plant.put(TrustedState, "refresh_keys", early)


def _keys_not_stored(plant: Plant) -> None:
    """The new keys are used, and stored only if they are offered again."""
    write = Store.write
    seen: set[bytes] = set()

    def second(self: Store, name: str, data: bytes) -> None:
        if name == "keyset" and data not in seen:
            seen.add(data)
            return
        write(self, name, data)

    plant.put(Store, "write", second)


# --- application sets ---------------------------------------------------------------------------------------------
def _image_before_set(plant: Plant) -> None:
    """The image is staged before its application set is complete."""

    def install(manifest: Any, boot: Any, slot: int, app_slot: Any = None) -> Any:
        flow._check_room(manifest, boot, app_slot)
        is_alone = manifest.chunks is None
        info = None
        if not is_alone:
            if not boot.is_blank_trailer(slot):
                boot.clear_marks(slot)
            info = yield from flow._bring_firmware(manifest, boot, slot)
            boot.stage(slot)
        if manifest.app is not None:
            yield from flow._bring_set(manifest, app_slot)
            digest = app_slot.running_digest if info is None else info.digest
            binding = Binding(
                manifest.sequence_number, digest, manifest.app.digest, manifest.app.size, is_alone
            )
            app_slot.sets.bind(app_slot.slot, binding)
            if info is None:
                app_slot.sets.stage(app_slot.slot)
        return info

    plant.put(flow, "install", install)


def _set_staged_before_binding(plant: Plant) -> None:
    bind = AppSets.bind

    def late(self: AppSets, slot: int, binding: Binding) -> None:
        if binding.is_alone:
            AppSets.stage(self, slot)
        bind(self, slot, binding)

    stage = AppSets.stage

    def once(self: AppSets, slot: int) -> None:
        if not self.marks(slot).is_staged:
            stage(self, slot)

    plant.put(AppSets, "bind", late)
    plant.put(AppSets, "stage", once)


def _set_written_over_the_running_one(plant: Plant) -> None:
    from device.update.app_choice import ApplicationChoice

    next_slot = ApplicationChoice.next_slot

    def same(self: ApplicationChoice) -> Any:
        found = next_slot(self)
        return found if self.running is None or found is None else found._replace(slot=self.running.slot)

    plant.put(ApplicationChoice, "next_slot", same)


# --- numbers that may be used once ----------------------------------------------------------------------------------
def _number_not_stored(plant: Plant) -> None:
    plant.put(sources, "_save_sequence", lambda store, upto: None)


def _number_stored_after_use(plant: Plant) -> None:
    """A block of numbers is reserved when it is used up, not before."""

    def take(self: Any) -> int:
        number = self._next
        self._next = number + 1
        if self._next >= self._reserved + OSCORE_SEQUENCE_STEP:
            self._reserve(self._next)
            self._reserved = self._next
        return int(number)

    plant.put(SenderSequence, "take", take)


def _number_loaded_too_low(plant: Plant) -> None:
    load = sources._load_sequence

    def lower(store: Store) -> int | None:
        found = load(store)
        return None if found is None else max(0, found - OSCORE_SEQUENCE_STEP)

    plant.put(sources, "_load_sequence", lower)


def _number_begins_again(plant: Plant) -> None:
    """A lost number is a beginning."""
    load = sources._load_sequence
    plant.put(sources, "_load_sequence", lambda store: load(store) and 0)


def _same_nonce(plant: Plant) -> None:
    challenge = freshness.challenge
    plant.put(
        freshness, "challenge", lambda nonce, class_id, drawn: challenge(bytes(len(nonce)), class_id, drawn)
    )


UPDATES: Final = [
    Bug("staged-first", "the slot is staged before its content is complete", "update-mqtt", _staged_first),
    Bug("confirm-mark-last", "the confirm mark is written after the records", "update-mqtt",
        _record_deleted_before_confirm),
    Bug("confirm-not-finished", "a confirm that was cut is not completed", "update-mqtt", _finish_forgotten),
    Bug("confirm-without-server", "a trial is confirmed before a server answered", "revert", _confirm_without_server),
    Bug("cut-condemns", "a power cut on trial condemns the release", "update-mqtt", _cut_condemns),
    Bug("migrated-before-confirm", "records change form before the confirm mark", "migrate",
        _migrated_before_confirm),
    Bug("trial-writes-new-form", "a release on trial writes its own form of a record", "migrate",
        _trial_writes_its_form),
    Bug("migration-deletes", "a record is deleted before it is written in the new form", "migrate",
        _migration_deletes),
    Bug("migration-stops", "the migration changes nothing and counts as done", "migrate", _migration_stops),
    Bug("keys-before-floors", "the key set is stored before its floors", "key-rotation", _keys_before_floors),
    Bug("keys-not-stored", "a new key set is used before it is stored", "key-rotation", _keys_not_stored),
    Bug("image-before-set", "the image is staged before its application set", "update-app", _image_before_set),
    Bug("set-staged-unbound", "a set is staged before it is bound to its image", "app-only",
        _set_staged_before_binding),
    Bug("set-over-running", "a new set overwrites the running one", "app-only", _set_written_over_the_running_one),
    Bug("number-not-stored", "OSCORE numbers are not stored", "update-coap", _number_not_stored),
    Bug("number-after-use", "OSCORE numbers are reserved after they were used", "update-coap",
        _number_stored_after_use),
    Bug("number-too-low", "a start goes on below the reserved number", "update-coap", _number_loaded_too_low),
    Bug("number-begins-again", "a start begins again at 0", "update-coap", _number_begins_again),
    Bug("same-nonce", "every freshness request has the same nonce", "update-mqtt", _same_nonce),
]  # fmt: skip

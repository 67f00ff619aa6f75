"""The release under way. It carries out what trial_state.decide returns, in records and slot marks.

A confirm writes in this order: slot mark, manifest sequence, security counter, then it deletes `pending`. Each step
can be repeated, so reconcile() completes it at the next start if the power failed in between.
"""

from device.compat import const
from device.errors import FirstbootError, RecordDamagedError, TrialFailedError
from device.update import trial_state
from device.update.flow import check_image

_DIGEST_BYTES = const(32)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    from device.records.store import Store
    from device.trust.verify import Target, VerifiedManifest
    from device.update.app_choice import ApplicationChoice
    from device.update.failures import Failures
    from device.update.progress import ProgressRecord
    from device.update.running_image import RunningImage
    from device.update.slots import Slots
    from device.update.trial_state import Pending


class PendingRelease:
    """The record `pending` of one unit. Methods may raise StorageError, FlashError.

    `on_confirmed` is called after a trial was confirmed.
    """

    def __init__(
        self,
        image: "RunningImage",
        application: "ApplicationChoice",
        progress: "ProgressRecord",
        failures: "Failures",
        store: "Store",
        on_confirmed: "Callable[[], None]",
    ) -> None:
        self._image = image
        self._application = application
        self._progress = progress
        self.failures = failures
        self._store = store
        self._on_confirmed = on_confirmed
        self.is_trial = False  # this start is the release's trial
        self.is_retry_wanted = False  # its trial proved nothing about it; retry() stages it again
        self.is_pause_over = False  # the pause after such a trial; until then no older release is installed
        self.is_held_back = False  # an older one was offered meanwhile
        self.is_refused = False  # at this start a release was given up that never ran
        self.is_void = False  # on trial, and the roots do not vouch for it

    def read(self) -> "Pending | None":
        """Return the release under way. A damaged record counts as absent: the next check uses the stored chunks."""
        try:
            data = self._store.read("pending")
            return None if data is None else trial_state.decode_pending(data)
        except RecordDamagedError:
            return None

    def _save(self, pending: "Pending") -> None:
        self._store.write("pending", trial_state.encode_pending(pending))

    def _slots_of(self, slot: int) -> "tuple[Slots, int]":
        """Return the slots that hold the marks of a pending release, and its index in them."""
        if slot < trial_state.FIRST_SET:
            return self._image.boot_state, slot
        sets = self._application.sets
        if sets is None:
            raise RecordDamagedError(name="pending")
        return sets, slot - trial_state.FIRST_SET

    # at the start ------------------------------------------------------------------------------------------
    def reconcile(self) -> "FirstbootError | None":
        """Finish, continue or give up the pending release. Returns the error if it was given up, None otherwise.

        Call it once at every start, after the application set was chosen.
        """
        pending = self.read()
        boot, running = self._image.boot, self._application.running
        if pending is None:
            # A trial that lost its record is still one: it confirms nothing, installs nothing over the confirmed
            # image in the other slot, and ends with the trial window.
            self.is_trial = bool(boot.is_trial)
            return RecordDamagedError(name="pending") if self.is_trial else None
        slots, index = self._slots_of(pending.slot)
        marks = slots.marks(index)
        running_slot, is_trial = boot.slot, boot.is_trial
        if pending.slot >= trial_state.FIRST_SET:
            running_slot = trial_state.FIRST_SET + running.slot if running is not None else -1
            is_trial = running is not None and running.is_trial
        fate = trial_state.decide(pending, running_slot, is_trial, marks, boot.reset_reason)
        if fate == trial_state.FINISH:
            return self._finish(pending)
        if fate == trial_state.TRIAL:
            self.is_trial = True
        elif fate == trial_state.RETRY:
            self.is_retry_wanted = True
            return TrialFailedError(sequence=pending.sequence, reset=trial_state.retry_reason(pending))
        elif fate == trial_state.FAILED:
            self.is_refused = not marks.is_tried
            return self._give_up(pending, trial_state.failure_cause(pending, marks, boot.reset_reason))
        return None

    def _give_up(self, pending: "Pending", cause: int) -> "FirstbootError":
        """Store the verdict, then forget the release. After a power cut in between, the next start repeats both."""
        release, envelope = pending.identity[:_DIGEST_BYTES], pending.identity[_DIGEST_BYTES:]
        self.failures.add(pending.sequence, release, cause, envelope)
        self._store.delete("pending")
        return TrialFailedError(sequence=pending.sequence, reset=trial_state.CAUSES[cause])

    def renew_keys(self, ceiling: "int | None") -> None:
        """Forget what a thief of a key may have spoiled, because the roots signed a new key set.

        `ceiling`: the highest number that the roots vouch for, None if they set none. A release under way above it is
        forgotten. If it is on trial, it stays so without a record and is never confirmed. `is_void` asks for a restart.
        """
        self.failures.renew(ceiling)
        pending = self.read()
        if pending is None or ceiling is None or pending.sequence <= ceiling:
            return
        slots, index = self._slots_of(pending.slot)
        if not slots.marks(index).is_confirmed:
            slots.clear_marks(index)
        self._store.delete("pending")
        self.is_retry_wanted = False
        self.is_void = self.is_trial

    # an install --------------------------------------------------------------------------------------------
    def is_waiting(self, manifest: "VerifiedManifest") -> bool:
        """Return whether this release is stored and waits for its next trial. A new fetch would skip the pause."""
        if not self.is_retry_wanted:
            return False
        pending = self.read()
        return pending is not None and pending.identity[:_DIGEST_BYTES] == release_id(manifest)

    def is_held(self, manifest: "VerifiedManifest") -> bool:
        """Return whether this release must wait for the end of the pause, because it is not newer than one whose trial
        proved nothing. Otherwise a source could offer two releases in turn, and the pause would never grow.
        """
        pending = self.read()
        if pending is None or self.is_pause_over or self.is_trial or not self._trials(pending):
            return False
        is_other = pending.identity[:_DIGEST_BYTES] != release_id(manifest)
        self.is_held_back = is_other and manifest.sequence_number <= pending.sequence
        return self.is_held_back

    def trials(self) -> int:
        """Return how many trials in a row proved nothing about a release."""
        pending = self.read()
        return 0 if pending is None else self._trials(pending)

    def _trials(self, pending: "Pending") -> int:
        done: int = pending.attempts if self.is_retry_wanted else pending.attempts - 1
        return done

    def verdict(self, manifest: "VerifiedManifest", is_asked: bool) -> int:
        """Return why this release failed here and must not be installed (trial_state.CAUSES), 0 if it may be installed.

        `is_asked`: the owner wants it now.
        """
        release = release_id(manifest)
        return self.failures.cause(manifest.sequence_number, release, manifest.envelope_digest, is_asked)

    def known_sequence(self, named: int) -> int:
        """Return the highest number of a release that is on trial, waits for its next one or failed here; 0 if none.

        A failed one above `named`, the newest that the tracker names, does not count: nobody vouches for it.
        """
        found = self.failures.newest(named)
        if self.is_trial or self.is_retry_wanted:
            pending = self.read()
            found = max(found, pending.sequence if pending else 0)
        return found

    def begin(self, manifest: "VerifiedManifest") -> int:
        """Erase the marks of the next slot, and store a verified release as the pending one. Returns the slot."""
        slot = self._image.free_slot
        app_slot = self._application.next_slot()
        if manifest.chunks is None and app_slot is not None:
            slot = trial_state.FIRST_SET + app_slot.slot
        pending = self.read()
        release = release_id(manifest)
        if pending is None or pending.identity[:_DIGEST_BYTES] != release or pending.slot != slot:
            slots, index = self._slots_of(slot)
            if not slots.is_blank_trailer(index):
                slots.clear_marks(index)
            sets = self._application.sets
            if sets is not None and pending is not None and pending.slot >= trial_state.FIRST_SET:
                sets.drop(pending.slot - trial_state.FIRST_SET)  # the set staged there is not tried any more
            identity, size = release + manifest.envelope_digest, _target(manifest).size
            attempts = 1 if pending is None else self._trials(pending) + 1
            self._save(trial_state.Pending(manifest.sequence_number, slot, identity, size, attempts, 0))
        self.is_retry_wanted = False
        return slot

    def may_try_delta(self) -> bool:
        """Return whether a release is pending and no patch was refused for it."""
        pending = self.read()
        return pending is not None and pending.outcome != trial_state.NO_DELTA

    def refuse_delta(self) -> None:
        """Remember that the patch was refused: the next check fetches the full payload."""
        self.record_outcome(trial_state.NO_DELTA)

    def refuse(self) -> None:
        """Refuse the release under way: what its author signed cannot be installed on this unit (flow, rule 10)."""
        pending = self.read()
        if pending is not None:
            self._give_up(pending, trial_state.UNFIT)

    # a trial -----------------------------------------------------------------------------------------------
    def record_outcome(self, outcome: int) -> None:
        """Store an outcome of the pending release for the next start.

        `outcome` is trial_state.NO_SERVER, APP_FAILED, NO_DELTA or INTERRUPTED.
        """
        pending = self.read()
        if pending is not None:
            self._save(trial_state.with_outcome(pending, outcome))

    def retry(self) -> None:
        """Stage a release again if its trial proved nothing about it. The boot ROM tries it at the next start."""
        pending = self.read()
        if pending is None:
            return
        self._save(trial_state.next_attempt(pending))
        slots, index = self._slots_of(pending.slot)
        slots.clear_marks(index)
        slots.stage(index)
        self.is_retry_wanted = False

    def confirm(self) -> "FirstbootError | None":
        """Keep the release on trial. The caller has checked that it works and reached its server.

        Returns the error of a step after the confirm mark, or None; the release stays confirmed in any case.
        """
        pending = self.read()
        if pending is None or not self.is_trial:
            return None
        slots, index = self._slots_of(pending.slot)
        slots.confirm(index)
        error = self._finish(pending)
        self.is_trial = False
        self._on_confirmed()
        return error

    def _finish(self, pending: "Pending") -> "FirstbootError | None":
        """Complete a confirm. Errors are returned, not raised: they must not stop a unit with a confirmed release. The
        next start repeats a step that could not be stored.
        """
        # The running image's own number may be higher, and it is known only while this image runs.
        progress = self._progress
        sequence = max(pending.sequence, progress.value.manifest_sequence)
        try:
            progress.save(trial_state.with_manifest(progress.value, sequence))
            found = self._count_up(pending)
            self._application.remember()
            self.failures.forget(sequence)
            self._store.delete("pending")
        except FirstbootError as error:
            return error
        return found

    def _count_up(self, pending: "Pending") -> "FirstbootError | None":
        """Raise the security counter to the confirmed image's. Returns why that is not possible: it never will be."""
        if pending.slot >= trial_state.FIRST_SET:
            return None
        boot_state = self._image.boot_state
        try:
            info = check_image(boot_state, pending.slot, pending.size)
            boot_state.raise_security_counter(info.security_counter)
        except FirstbootError as error:
            return error
        return None


def release_id(manifest: "VerifiedManifest") -> bytes:
    """Return the release_id (32 bytes) of a manifest: a digest of its number, firmware and application set."""
    app = None if manifest.app is None else manifest.app.digest
    found: bytes = trial_state.release_id(manifest.sequence_number, manifest.firmware.digest, app)
    return found


def _target(manifest: "VerifiedManifest") -> "Target":
    """Return the payload for the pending slot: the firmware, or the set if only the set is new."""
    target: "Target" = manifest.firmware if manifest.chunks is not None else manifest.app
    return target

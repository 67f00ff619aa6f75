"""Carries out what tracker.decide says: the records and trailer marks of the release in the other slot.

Order of a confirm: trailer mark, manifest sequence, security counter, `pending` removed. Each step can be repeated,
so a power cut between any two is completed by reconcile() at the next start.

Which application set runs is found before that, by choose_set(), from the image that runs (device/update/appset.py).
"""

from collections import namedtuple

from device.compat import const
from device.errors import AppSetError, FirstbootError, FlashError, RecordDamagedError, TrialFailedError
from device.update import trial_state
from device.update.flow import Place, check_image

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

    from device.interfaces import Boot
    from device.records.store import Store
    from device.trust.verify import Target, VerifiedManifest
    from device.update.appset import AppSets, Candidate
    from device.update.slots import BootState, Slots
    from device.update.trial_state import Pending, Progress

# The application set that runs: its place and binding, whether this is its trial, its files.
Running = namedtuple("Running", ("slot", "binding", "is_trial", "files"))


class Trials:
    """The two slots of one unit and the release that is under way. Methods may raise StorageError."""

    def __init__(
        self,
        boot: "Boot",
        boot_state: "BootState",
        store: "Store",
        sets: "AppSets | None" = None,
        on_confirmed: "Callable[[], None]" = lambda: None,
    ) -> None:
        self._boot = boot
        self._on_confirmed = on_confirmed
        self._store = store
        self.boot_state = boot_state
        # None where this board takes no application sets
        self.sets = sets if sets is not None and sets.count else None
        self.app: "Running | None" = None
        self._broken: "list[int]" = []  # places of sets for this image that cannot be run
        # size and digest of the payload in the running slot
        self._measured: "tuple[int, bytes] | None" = None
        self.is_trial = False
        self.is_retry_wanted = False
        self.progress: "Progress" = trial_state.NO_PROGRESS
        data = store.read("progress")
        if data is not None:
            self.progress = trial_state.decode_progress(data)
        self._stored = self.progress  # what a start without this image would find
        # A unit fresh from the factory has confirmed nothing itself; its image's build number says what it shipped
        # with, so that nothing older is ever taken for new (UP-02).
        shipped = boot.version[3]
        if not boot.is_trial and shipped > self.progress.manifest_sequence:
            self.progress = trial_state.with_manifest(self.progress, shipped)

    @property
    def free_slot(self) -> int:
        """The slot that does not run: where a new release goes."""
        return 1 - self._boot.slot

    @property
    def image_digest(self) -> bytes:
        """SHA-256 of the image that runs, as the boot ROM handed it over."""
        return self._boot.image_digest

    def runs(self, digest: bytes, size: int) -> bool:
        """Whether the image that runs is the payload with this SHA-256 and size in bytes."""
        if not 0 < size <= self.boot_state.slot_limit_bytes:
            return False
        if self._measured is None or self._measured[0] != size:
            # Half a megabyte takes a slow board a second, and what runs does not change.
            self._measured = (size, self.boot_state.digest(self._boot.slot, size))
        return self._measured[1] == digest

    def pending(self) -> "Pending | None":
        data = self._store.read("pending")
        return None if data is None else trial_state.decode_pending(data)

    def _save_pending(self, pending: "Pending") -> None:
        self._store.write("pending", trial_state.encode_pending(pending))

    def save_progress(self, progress: "Progress") -> None:
        """Store `progress` when it differs from what is stored."""
        if progress != self._stored:
            self._store.write("progress", trial_state.encode_progress(progress))
            self._stored = progress
        self.progress = progress

    # the application set -----------------------------------------------------------------------------------
    def choose_set(self) -> "list[FirstbootError]":
        """At every start, before reconcile: find the set that runs with this image; give what was wrong with others.

        Marks a set on its trial as tried. Only a verified set becomes `app` (SE-09); without one the firmware is alone.
        """
        if self.sets is None:
            return []
        found: "list[FirstbootError]" = []
        try:
            candidates = self.sets.candidates(self._boot.image_digest, self._boot.is_trial)
        except FlashError as error:
            return [error]  # what holds the application cannot be read: the firmware alone can still be
        for one in candidates:
            if one.is_trial and not self._is_pending(one):
                continue  # of a release that was given up for a newer one
            try:
                files = self.sets.files(one.slot, one.binding)
            except FirstbootError as error:
                found.append(error)
                self._broken.append(one.slot)
                continue
            if one.is_trial:
                self.sets.mark_tried(one.slot)
            self.app = Running(one.slot, one.binding, one.is_trial, files)
            break
        if not found and self._is_set_missing():
            found.append(AppSetError(reason="missing", file=""))
        return found

    def _is_set_missing(self) -> bool:
        """Whether the set that was confirmed with this image is not the one that runs; one on trial is not yet."""
        kept = self._kept_set()
        if kept.get(1) != self._boot.image_digest or self.pending() is not None:
            return False
        return self.app is None or self.app.binding.digest != kept.get(2)

    def _is_pending(self, one: "Candidate") -> bool:
        pending = self.pending()
        return pending is not None and pending.slot == trial_state.FIRST_SET + one.slot

    def _kept_set(self) -> "dict[object, object]":
        """{1: image digest, 2: digest of the set} of the release confirmed last, empty where it had none."""
        try:
            return self._store.read_map("appset") or {}
        except FirstbootError:
            return {}

    def _keep_set(self) -> None:
        """Remember that the confirmed image has a set, so that one that vanishes is noticed."""
        if self.app is not None:
            kept = {1: self.app.binding.image_digest, 2: self.app.binding.digest}
            if kept != self._kept_set():
                self._store.write_map("appset", kept)
        elif self._kept_set():
            self._store.delete("appset")

    @property
    def is_set_broken(self) -> bool:
        """Whether there is a set for this image and none that can be run."""
        return self.app is None and bool(self._broken)

    def place(self) -> "Place | None":
        """Where the next set goes: never over the one that runs."""
        if self.sets is None:
            return None
        if self.app is not None:
            slot = 1 - self.app.slot
        elif self._broken:
            slot = self._broken[0]
        else:
            # A place that is free or torn first; so a transfer that goes on finds its place again.
            ages = [
                (found.sequence if found else -1) for found in map(self.sets.binding, range(self.sets.count))
            ]
            slot = ages.index(min(ages))
        return Place(self.sets, slot, self._boot.image_digest)

    def lacks_set(self, manifest: "VerifiedManifest") -> bool:
        """Whether the firmware of this release runs without its application set: lost, changed, or never there."""
        if self.sets is None or manifest.app is None or manifest.chunks is not None or self.is_trial:
            return False
        return self.app is None or self.app.binding.sequence < manifest.sequence_number

    def _area(self, slot: int) -> "tuple[Slots, int]":
        """Where the marks of a pending release's `slot` are."""
        if slot < trial_state.FIRST_SET:
            return self.boot_state, slot
        if self.sets is None or slot >= trial_state.FIRST_SET + self.sets.count:
            raise RecordDamagedError(name="pending")
        return self.sets, slot - trial_state.FIRST_SET

    # the release that is under way ---------------------------------------------------------------------------
    def reconcile(self) -> "FirstbootError | None":
        """At every start: finish, go on with, or give up the pending release; returns why one was given up."""
        pending = self.pending()
        if pending is None:
            return None
        area, place = self._area(pending.slot)
        marks = area.marks(place)
        running_slot, is_trial = self._boot.slot, self._boot.is_trial
        if pending.slot >= trial_state.FIRST_SET:
            running_slot = trial_state.FIRST_SET + self.app.slot if self.app is not None else -1
            is_trial = self.app is not None and self.app.is_trial
        fate = trial_state.decide(pending, running_slot, is_trial, marks)
        if fate == trial_state.FINISH:
            self._finish(pending)
        elif fate == trial_state.TRIAL:
            self.is_trial = True
        elif fate in (trial_state.RETRY, trial_state.FAILED):
            reason = trial_state.failure_reason(pending, marks, self._boot.reset_reason)
            self.is_retry_wanted = fate == trial_state.RETRY
            if not self.is_retry_wanted:
                self.save_progress(trial_state.with_failed(self.progress, pending.sequence))
                self._store.delete("pending")
            return TrialFailedError(sequence=pending.sequence, reset=reason)
        return None

    def is_waiting(self, manifest: "VerifiedManifest") -> bool:
        """Whether this release is stored and waits for its next trial: to fetch it again would go round the limit."""
        if not self.is_retry_wanted:
            return False
        pending = self.pending()
        return pending is not None and pending.digest == _target(manifest).digest

    def begin(self, manifest: "VerifiedManifest") -> int:
        """Take a verified release on; returns the slot to install it in. Its marks are erased first."""
        slot = self.free_slot
        place = self.place()
        if manifest.chunks is None and place is not None:
            slot = trial_state.FIRST_SET + place.slot
        pending = self.pending()
        target = _target(manifest)
        if pending is None or pending.digest != target.digest or pending.slot != slot:
            area, number = self._area(slot)
            if not area.is_blank_trailer(number):
                area.clear_marks(number)
            if self.sets is not None and pending is not None and pending.slot >= trial_state.FIRST_SET:
                self.sets.drop(
                    pending.slot - trial_state.FIRST_SET
                )  # what is staged there is not tried any more
            self._save_pending(
                trial_state.Pending(manifest.sequence_number, slot, target.digest, target.size, 1, 0)
            )
        self.is_retry_wanted = False
        return slot

    def may_try_delta(self) -> bool:
        """Whether no patch was refused for the pending release."""
        pending = self.pending()
        return pending is not None and pending.outcome != trial_state.NO_DELTA

    def refuse_delta(self) -> None:
        """The patch of the pending release was refused: the next check goes on with the full payload."""
        pending = self.pending()
        if pending is not None:
            self._save_pending(trial_state.with_outcome(pending, trial_state.NO_DELTA))

    def retry(self) -> None:
        """Stage a release again that only missed its server; the boot ROM tries it at the next start."""
        pending = self.pending()
        if pending is None:
            return
        self._save_pending(trial_state.next_attempt(pending))
        area, slot = self._area(pending.slot)
        area.clear_marks(slot)
        area.stage(slot)
        self.is_retry_wanted = False

    def window_over(self, outcome: int = trial_state.NO_SERVER) -> None:
        """This trial reached no server in time, or its application failed: leave word for what runs after the reset."""
        pending = self.pending()
        if pending is not None:
            self._save_pending(trial_state.with_outcome(pending, outcome))

    def confirm(self) -> None:
        """Keep the running trial image. The caller has proved that it works and reached its server."""
        pending = self.pending()
        if pending is None or not self.is_trial:
            return
        area, slot = self._area(pending.slot)
        area.confirm(slot)
        self._finish(pending)
        self.is_trial = False
        self._on_confirmed()

    def revoke_image_keys(self, numbers: "tuple[int, ...]") -> None:
        """Revoke what the roots revoke, once a confirmed image runs that is signed with another key; else later.

        Until then both slots may need the old key; after it the image in the other slot may not start any more.
        """
        boot = self._boot
        if not numbers or self.is_trial or not self.boot_state.marks(boot.slot).is_confirmed:
            return
        for number in numbers:
            if number < boot.image_key_count and number != boot.image_key:
                self.boot_state.revoke_image_key(number, boot.image_key, boot.image_key_count)

    def _finish(self, pending: "Pending") -> None:
        # Also where the running image's own number says as much: that is known only as long as this image runs.
        sequence = max(pending.sequence, self.progress.manifest_sequence)
        self.save_progress(trial_state.with_manifest(self.progress, sequence))
        if pending.slot < trial_state.FIRST_SET:
            info = check_image(self.boot_state, pending.slot, pending.size)
            self.boot_state.raise_security_counter(info.security_counter)
        self._keep_set()
        self._store.delete("pending")


def _target(manifest: "VerifiedManifest") -> "Target":
    """What tells this release from others: its firmware, or its set where that is all that is new."""
    target: "Target" = manifest.firmware if manifest.chunks is not None else manifest.app
    return target

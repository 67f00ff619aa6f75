"""Carries out what tracker.decide says: the records and trailer marks of the release in the other slot.

Order of a confirm: trailer mark, manifest sequence, security counter, `pending` removed. Each step can be repeated,
so a power cut between any two is completed by reconcile() at the next start.
"""

from device.compat import const
from device.errors import TrialFailedError
from device.update import tracker
from device.update.flow import check_image, slot_digest

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.errors import FirstbootError
    from device.interfaces import Boot
    from device.store import Store
    from device.trust.verify import VerifiedManifest
    from device.update.slots import BootState
    from device.update.tracker import Pending, Progress


class Trials:
    """The two slots of one unit and the release that is under way. Methods may raise StorageError."""

    def __init__(self, boot: "Boot", boot_state: "BootState", store: "Store") -> None:
        self._boot = boot
        self._store = store
        self.boot_state = boot_state
        self.is_trial = False
        self.is_retry_wanted = False
        self.progress: "Progress" = tracker.NO_PROGRESS
        data = store.read("progress")
        if data is not None:
            self.progress = tracker.decode_progress(data)
        self._stored = self.progress  # what a start without this image would find
        # A unit fresh from the factory has confirmed nothing itself; its image's build number says what it shipped
        # with, so that nothing older is ever taken for new (UP-02).
        shipped = boot.version[3]
        if not boot.is_trial and shipped > self.progress.manifest_sequence:
            self.progress = tracker.with_manifest(self.progress, shipped)

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
        is_same: bool = slot_digest(self.boot_state, self._boot.slot, size) == digest
        return is_same

    def pending(self) -> "Pending | None":
        data = self._store.read("pending")
        return None if data is None else tracker.decode_pending(data)

    def _save_pending(self, pending: "Pending") -> None:
        self._store.write("pending", tracker.encode_pending(pending))

    def save_progress(self, progress: "Progress") -> None:
        """Store `progress` when it differs from what is stored."""
        if progress != self._stored:
            self._store.write("progress", tracker.encode_progress(progress))
            self._stored = progress
        self.progress = progress

    def reconcile(self) -> "FirstbootError | None":
        """At every start: finish, go on with, or give up the pending release; returns why one was given up."""
        pending = self.pending()
        if pending is None:
            return None
        marks = self.boot_state.marks(pending.slot)
        fate = tracker.decide(pending, self._boot.slot, self._boot.is_trial, marks)
        if fate == tracker.FINISH:
            self._finish(pending)
        elif fate == tracker.TRIAL:
            self.is_trial = True
        elif fate in (tracker.RETRY, tracker.FAILED):
            reason = tracker.failure_reason(pending, marks, self._boot.reset_reason)
            self.is_retry_wanted = fate == tracker.RETRY
            if not self.is_retry_wanted:
                self.save_progress(tracker.with_failed(self.progress, pending.sequence))
                self._store.delete("pending")
            return TrialFailedError(sequence=pending.sequence, reset=reason)
        return None

    def is_waiting(self, manifest: "VerifiedManifest") -> bool:
        """Whether this release is stored and waits for its next trial: to fetch it again would go round the limit."""
        if not self.is_retry_wanted:
            return False
        pending = self.pending()
        return pending is not None and pending.digest == manifest.firmware.digest

    def begin(self, manifest: "VerifiedManifest") -> int:
        """Take a verified release on; returns the slot to install it in. Its marks are erased first."""
        slot = self.free_slot
        pending = self.pending()
        if pending is None or pending.digest != manifest.firmware.digest or pending.slot != slot:
            if not self.boot_state.is_blank_trailer(slot):
                self.boot_state.clear_marks(slot)
            self._save_pending(
                tracker.Pending(
                    manifest.sequence_number, slot, manifest.firmware.digest, manifest.firmware.size, 1, 0
                )
            )
        self.is_retry_wanted = False
        return slot

    def give_up(self) -> None:
        """The pending release turned out not to be what it says; forget it (its slot stays unstaged)."""
        self._store.delete("pending")

    def retry(self) -> None:
        """Stage a release again that only missed its server; the boot ROM tries it at the next start."""
        pending = self.pending()
        if pending is None:
            return
        self._save_pending(tracker.next_attempt(pending))
        self.boot_state.clear_marks(pending.slot)
        self.boot_state.stage(pending.slot)
        self.is_retry_wanted = False

    def window_over(self) -> None:
        """This trial image reached no server in time: leave word for the image that runs after the reset."""
        pending = self.pending()
        if pending is not None:
            self._save_pending(tracker.with_outcome(pending, tracker.NO_SERVER))

    def confirm(self) -> None:
        """Keep the running trial image. The caller has proved that it works and reached its server."""
        pending = self.pending()
        if pending is None or not self.is_trial:
            return
        self.boot_state.confirm(pending.slot)
        self._finish(pending)
        self.is_trial = False

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
        self.save_progress(tracker.with_manifest(self.progress, sequence))
        info = check_image(self.boot_state, pending.slot, pending.size)
        self.boot_state.raise_security_counter(info.security_counter)
        self._store.delete("pending")

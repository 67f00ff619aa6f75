"""Choose the application set for the running image, and the slot for the next set (device/update/appset.py).

Rules:
1. Only a verified set becomes `running` (SE-09). Without one the firmware runs without an application.
2. A set on trial runs once, and only if the pending release names it.
3. The next set never overwrites the running one.
4. The record `appset` remembers the set that was confirmed with an image, so that a missing set is reported.
5. A set never runs if its release number is above the confirmed one, unless its release is pending. So after the root
   keys lower the confirmed number, a set signed with a stolen key no longer runs.
"""

from collections import namedtuple

from device.compat import const
from device.errors import AppSetError, FirstbootError, FlashError
from device.update import trial_state
from device.update.flow import AppSlot

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.records.store import Store
    from device.trust.verify import VerifiedManifest
    from device.update.appset import AppSets, Candidate
    from device.update.progress import ProgressRecord
    from device.update.running_image import RunningImage
    from device.update.trial_state import Pending

# The running set: its application slot, its binding, whether it is on trial, its files.
Running = namedtuple("Running", ("slot", "binding", "is_trial", "files"))


class ApplicationChoice:
    """The application slots of one unit. `sets` is None on a board that has none. Methods may raise StorageError."""

    def __init__(
        self, image: "RunningImage", store: "Store", sets: "AppSets | None", progress: "ProgressRecord"
    ) -> None:
        self._image = image
        self._progress = progress
        self._store = store
        self.sets = sets if sets is not None and sets.count else None
        self.running: "Running | None" = None
        self._broken: "list[int]" = []  # slots of sets for this image that failed their check

    def choose(self, pending: "Pending | None") -> "list[FirstbootError]":
        """Choose the set to run. Returns the errors of the sets that were passed over. Marks a set on trial as tried.

        Call it once at every start, before the pending release is reconciled.
        """
        if self.sets is None:
            return []
        errors: "list[FirstbootError]" = []
        try:
            candidates = self.sets.candidates(self._image.digest, self._image.boot.is_trial)
        except FlashError as error:
            return [error]  # the firmware still works if the application slots cannot be read
        for one in candidates:
            if one.is_trial and not _is_pending(pending, one):
                continue  # staged by a release that a newer one replaced
            if self.is_above(one.binding.sequence, pending):
                continue  # the root keys lowered the confirmed number
            try:
                files = self.sets.files(one.slot, one.binding)
                if one.is_trial:
                    self.sets.mark_tried(one.slot)  # without the mark it would be tried at every start
            except FirstbootError as error:
                errors.append(error)
                self._broken.append(one.slot)
                continue
            self.running = Running(one.slot, one.binding, one.is_trial, files)
            break
        if not errors and pending is None and self._is_missing():
            errors.append(AppSetError(reason="missing", file=""))
        return errors

    def is_above(self, sequence: int, pending: "Pending | None") -> bool:
        """Return whether `sequence` is above the confirmed number and is not the pending release's (rule 5)."""
        return sequence > self._progress.value.manifest_sequence and (
            pending is None or sequence != pending.sequence
        )

    def _is_missing(self) -> bool:
        """Return whether the set that was confirmed with the running image is not the running one."""
        confirmed = self._confirmed()
        if confirmed.get(1) != self._image.digest:
            return False
        return self.running is None or self.running.binding.digest != confirmed.get(2)

    def _confirmed(self) -> "dict[object, object]":
        """Return {1: image digest, 2: digest of the set} of the release confirmed last, empty if it had no set."""
        try:
            return self._store.read_map("appset") or {}
        except FirstbootError:
            return {}

    def remember(self) -> None:
        """Store which set was confirmed with the running image (rule 4)."""
        if self.running is not None:
            confirmed = {1: self.running.binding.image_digest, 2: self.running.binding.digest}
            if confirmed != self._confirmed():
                self._store.write_map("appset", confirmed)
        elif self._confirmed():
            self._store.delete("appset")

    @property
    def is_broken(self) -> bool:
        """Return whether this image has sets and none of them can run."""
        return self.running is None and bool(self._broken)

    def next_slot(self) -> "AppSlot | None":
        """Return the application slot for the next set (rule 3), None on a board without application slots."""
        if self.sets is None:
            return None
        if self.running is not None:
            slot = 1 - self.running.slot
        elif self._broken:
            slot = self._broken[0]
        else:
            # The oldest, and an empty or torn one before all: an interrupted transfer finds its slot again.
            found = [self.sets.binding(slot) for slot in range(self.sets.count)]
            ages = [(binding.sequence if binding else -1) for binding in found]
            slot = ages.index(min(ages))
        return AppSlot(self.sets, slot, self._image.digest)

    def lacks(self, manifest: "VerifiedManifest") -> bool:
        """Return whether the firmware of this release is running but its application set is missing, changed or older.

        Call it only while nothing is on trial.
        """
        if self.sets is None or manifest.app is None or manifest.chunks is not None:
            return False
        return self.running is None or self.running.binding.sequence < manifest.sequence_number


def _is_pending(pending: "Pending | None", one: "Candidate") -> bool:
    return pending is not None and pending.slot == trial_state.FIRST_SET + one.slot

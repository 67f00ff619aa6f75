"""The record `progress`: what this unit confirmed, and the floors that never go down by a restart."""

from device.compat import const
from device.update import trial_state

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Boot
    from device.records.store import Store
    from device.update.trial_state import Progress


class ProgressRecord:
    """`value` is the progress now; `stored` is what the store holds."""

    def __init__(self, store: "Store", stored: "Progress", value: "Progress") -> None:
        self._store = store
        self._stored = stored
        self.value = value

    def save(self, progress: "Progress") -> None:
        """Store `progress` if it differs from what is stored. Raises StorageError."""
        if progress != self._stored:
            self._store.write("progress", trial_state.encode_progress(progress))
            self._stored = progress
        self.value = progress


def load(store: "Store", boot: "Boot") -> ProgressRecord:
    """Read the record. Raises StorageError, RecordDamagedError.

    A unit fresh from the factory has no record. The build number of its image says what it shipped with, so that it
    never takes an older release for a newer one (UP-02). Later only the record counts: an image that a thief signed
    carries the thief's number.
    """
    data = store.read("progress")
    if data is not None:
        stored = trial_state.decode_progress(data)
        return ProgressRecord(store, stored, stored)
    nothing = trial_state.NO_PROGRESS
    shipped = 0 if boot.is_trial else boot.version[3]
    return ProgressRecord(store, nothing, trial_state.with_manifest(nothing, shipped))

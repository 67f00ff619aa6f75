"""The record `progress`: the confirmed release, and the floors that a restart never lowers.

Rules:
1. The first start stores it, before there is an owner. So an owned unit without it has lost it: that is a fault, which
   becomes an event.
2. If it is missing or damaged, the floors are derived from other durable data (`derive`). A release carries its number
   in its image, or in the binding of its application set. Every accepted support record ends no earlier than the one
   before, so the stored one carries the latest end date. So the unit accepts nothing older than before the loss, and
   it still takes updates.
3. No floor is above the ceilings of the stored key set, because an image that was signed with a stolen key carries a
   number that the thief chose. For the same reason only the record counts while it exists.
"""

from device.codec import cose
from device.compat import const
from device.errors import CounterLostError, FirstbootError, FlashError, ImageFormatError, RecordDamagedError
from device.limits import KEYSET_BYTES, KEYSET_SIGNATURES
from device.records import counters, support
from device.trust import keyset
from device.update import trial_state

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Boot
    from device.records.store import Store
    from device.update.appset import AppSets
    from device.update.slots import BootState
    from device.update.trial_state import Progress


class ProgressRecord:
    """The progress of one unit: `value` in RAM, `stored` in the store (None without a record), `fault`: why not."""

    def __init__(
        self,
        store: "Store",
        stored: "Progress | None",
        value: "Progress",
        fault: "RecordDamagedError | None" = None,
    ) -> None:
        self._store = store
        self._stored = stored
        self._fault = fault
        self.value = value

    def begin(self) -> "list[FirstbootError]":
        """Store the record if it is missing. Returns an error if it was lost or damaged. Raises StorageError."""
        if self._stored is None:
            self.save(self.value)
        errors: "list[FirstbootError]" = [] if self._fault is None else [self._fault]
        self._fault = None
        return errors

    def save(self, progress: "Progress") -> None:
        """Store `progress` if it differs from the stored record. Raises StorageError."""
        if progress != self._stored:
            self._store.write("progress", trial_state.encode_progress(progress))
            self._stored = progress
        self.value = progress


def load(
    store: "Store", boot: "Boot", boot_state: "BootState", sets: "AppSets | None" = None
) -> ProgressRecord:
    """Read the record; write nothing. Raises StorageError."""
    fault: "RecordDamagedError | None" = None
    try:
        data = store.read("progress")
        if data is not None:
            stored = trial_state.decode_progress(data)
            return ProgressRecord(store, stored, stored)
        if counters.are_kept(store):
            fault = CounterLostError(name="progress")
    except RecordDamagedError as error:
        fault = error
    return ProgressRecord(store, None, derive(store, boot, boot_state, sets), fault)


def derive(store: "Store", boot: "Boot", boot_state: "BootState", sets: "AppSets | None") -> "Progress":
    """Return the floors that images, application sets, support record and key set imply (rules 2 and 3)."""
    progress = trial_state.with_manifest(trial_state.NO_PROGRESS, _confirmed_number(boot, boot_state, sets))
    try:
        signed = store.read("support")
        if signed is not None:
            progress = trial_state.with_support_end(
                progress, support.decode(cose.decode(signed).payload).end_day
            )
    except FirstbootError:
        pass  # without a readable record the support state is *unknown*
    try:
        signed = store.read("keyset")
        if signed is not None:
            roots = keyset.decode(cose.decode(signed, KEYSET_BYTES, KEYSET_SIGNATURES).payload)
            progress = trial_state.with_ceilings(progress, roots.ceilings)
            progress = trial_state.with_time_floor(progress, roots.root_time_s)
    except FirstbootError:
        pass  # the unit trusts only the roots until the key set arrives again
    return progress


def _confirmed_number(boot: "Boot", boot_state: "BootState", sets: "AppSets | None") -> int:
    """Return the highest release number of a confirmed image and of the sets confirmed with or for one."""
    numbers = [0]
    if not boot.is_trial:
        numbers.append(boot.version[3])
    elif boot_state.marks(1 - boot.slot).is_confirmed:
        numbers.append(_build_number(boot_state, 1 - boot.slot))
    try:
        numbers += [] if sets is None else _set_numbers(boot, sets)
    except FlashError:
        pass  # the firmware still works if the application slots cannot be read
    return max(numbers)


def _set_numbers(boot: "Boot", sets: "AppSets") -> "list[int]":
    """Return the release numbers of the confirmed sets: each has a mark of its own, or its image's marks."""
    found = []
    for slot in range(sets.count):
        binding = sets.binding(slot)
        if binding is None:
            continue
        is_running = binding.image_digest == boot.image_digest
        if sets.marks(slot).is_confirmed if binding.is_alone else is_running != bool(boot.is_trial):
            found.append(binding.sequence)
    return found


def _build_number(boot_state: "BootState", slot: int) -> int:
    """Return the build number of the image in `slot`, 0 without an image."""
    try:
        info = boot_state.image(slot, boot_state.slot_limit_bytes)
    except ImageFormatError:
        return 0
    number: int = info.version[3]
    return number

"""The releases that this unit could not install, or that failed their trial. It installs none of them by itself again.

Rules (UP-04):
1. A release is known by release_id: number, firmware and application set together.
2. A failure that the release's own code caused (watchdog, failed application, restart) is final for this release.
3. If the stored copy was at fault (refused by the boot ROM, changed application set), or if this firmware cannot
   install the release (a later one may), the owner's "Install now" or a renewed offer (the same release in another
   envelope) lifts the verdict. Anyone can change the parts of an envelope that nobody signs, so envelopes lift it at
   most RENEWED_OFFERS times, and none does so twice.
4. FAILED_RELEASES are remembered. If one more fails, the lowest number gives way and becomes the floor: a release up
   to it is not installed, because it may be one of those that gave way. The owner's "Install now" lifts that. So any
   number of failing releases that are offered in turn costs one trial each.
5. When a release is confirmed, all older ones are forgotten. A new key set ends the floor, and all that is above its
   ceiling: a thief may have signed those releases.
"""

from device.compat import const
from device.errors import FirstbootError
from device.limits import FAILED_RELEASES, RENEWED_OFFERS
from device.update.trial_state import CAUSES, LIFTED_BY_OWNER, TOO_MANY

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.records.store import Store

_DIGEST_BYTES = const(32)


class Failures:
    """The record `failed` of one unit. 1: [number, release id, cause, envelope digests] each, oldest first; 2: the
    floor (rule 4), absent if it is 0.

    The digests (SHA-256, joined) are those of the envelopes that were tried.

    Methods may raise StorageError.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._entries: "list[list[Any]] | None" = None
        self._floor = 0

    def _load(self) -> "list[list[Any]]":
        if self._entries is None:
            fields: "dict[Any, Any]" = {}
            try:
                fields = self._store.read_map("failed") or {}
            except FirstbootError:
                pass  # a lost verdict costs one more trial
            found: "Any" = fields.get(1)
            floor: "Any" = fields.get(2)
            self._entries = [entry for entry in found if _is_entry(entry)] if isinstance(found, list) else []
            if _is_number(floor):
                self._floor = floor
        return self._entries

    def _save(self, entries: "list[list[Any]]", floor: int) -> None:
        if len(entries) > FAILED_RELEASES:
            lowest = min([entry[0] for entry in entries])
            at = [entry[0] for entry in entries].index(lowest)
            entries = entries[:at] + entries[at + 1 :]
            floor = max(floor, lowest)
        fields: "dict[int, object]" = {1: entries}
        if floor:
            fields[2] = floor
        if entries or floor:
            self._store.write_map("failed", fields)
        else:
            self._store.delete("failed")
        self._entries, self._floor = entries, floor

    def add(self, sequence: int, release_id: bytes, cause: int, envelope_digest: bytes) -> None:
        """Remember a verdict: `cause` is one of trial_state.CAUSES."""
        kept = [entry for entry in self._load() if entry[1] != release_id]
        tried = b"".join([entry[3] for entry in self._load() if entry[1] == release_id])
        if envelope_digest not in _digests(tried):
            tried += envelope_digest
        self._save(kept + [[sequence, release_id, cause, tried]], self._floor)

    def cause(self, sequence: int, release_id: bytes, envelope_digest: bytes, is_asked: bool) -> int:
        """Return why this release must not be installed, 0 if it may be. `is_asked`: the owner wants it now."""
        for entry in self._load():
            if entry[1] == release_id:
                tried = _digests(entry[3])
                is_lifted = is_asked or (envelope_digest not in tried and len(tried) <= RENEWED_OFFERS)
                return 0 if is_lifted and entry[2] in LIFTED_BY_OWNER else int(entry[2])
        return TOO_MANY if sequence <= self._floor and not is_asked else 0

    def newest(self, most: int) -> int:
        """Return the highest number up to `most` of a release that failed here, 0 if none did."""
        numbers: "list[int]" = [entry[0] for entry in self._load()] + [self._floor]
        return max([0] + [number for number in numbers if number <= most])

    def forget(self, sequence: int) -> None:
        """Forget every release up to this confirmed number: none of them can be offered again."""
        kept = [entry for entry in self._load() if entry[0] > sequence]
        self._keep(kept, self._floor if self._floor > sequence else 0)

    def renew(self, ceiling: "int | None") -> None:
        """Forget what a thief may have spoiled before a new key set (rule 5). `ceiling`: of that set, if it has one."""
        self._keep([entry for entry in self._load() if ceiling is None or entry[0] <= ceiling], 0)

    def _keep(self, entries: "list[list[Any]]", floor: int) -> None:
        if len(entries) != len(self._load()) or floor != self._floor:
            self._save(entries, floor)


def _digests(tried: bytes) -> "list[bytes]":
    return [tried[at : at + _DIGEST_BYTES] for at in range(0, len(tried), _DIGEST_BYTES)]


def _is_entry(entry: object) -> bool:
    """Return whether `entry` has the form of a verdict. Another release may have written something else."""
    if not isinstance(entry, list) or len(entry) != 4:
        return False
    if not _is_number(entry[0]) or not _is_number(entry[2]):
        return False
    return isinstance(entry[1], bytes) and isinstance(entry[3], bytes) and 0 < entry[2] < len(CAUSES)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

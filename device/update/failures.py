"""The releases that this unit could not install, or that failed their trial. It installs none of them by itself again.

Rules (UP-04):
1. A release is known by release_id: number, firmware and application set together.
2. A failure that the release's own code caused (watchdog, failed application, restart) is final for this release.
3. If the stored copy was at fault (refused by the boot ROM, changed application set), or if this firmware cannot
   install the release (a later one may), the owner's "Install now" or a renewed offer (the same release in another
   envelope) lifts the verdict. Anyone can change the parts of an envelope that nobody signs, so envelopes lift it at
   most RENEWED_OFFERS times, and none does so twice.
4. The newest FAILED_RELEASES are remembered. When a release is confirmed, all older ones are forgotten.
"""

from device.compat import const
from device.errors import FirstbootError
from device.limits import FAILED_RELEASES, RENEWED_OFFERS
from device.update.trial_state import CAUSES, LIFTED_BY_OWNER

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.records.store import Store

_DIGEST_BYTES = const(32)


class Failures:
    """The record `failed` of one unit: [number, release id, cause, envelope digests] each, oldest first.

    The digests (SHA-256, joined) are those of the envelopes that were tried.

    Methods may raise StorageError.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._entries: "list[list[object]] | None" = None

    def _load(self) -> "list[list[object]]":
        if self._entries is None:
            try:
                found = (self._store.read_map("failed") or {}).get(1)
            except FirstbootError:
                found = None  # a lost verdict costs one more trial
            self._entries = [entry for entry in found if _is_entry(entry)] if isinstance(found, list) else []
        return self._entries

    def _save(self, entries: "list[list[object]]") -> None:
        entries = entries[-FAILED_RELEASES:]
        if entries:
            self._store.write_map("failed", {1: entries})
        else:
            self._store.delete("failed")
        self._entries = entries

    def add(self, sequence: int, release_id: bytes, cause: int, envelope_digest: bytes) -> None:
        """Remember a verdict: `cause` is one of trial_state.CAUSES."""
        kept = [entry for entry in self._load() if entry[1] != release_id]
        tried = b"".join([entry[3] for entry in self._load() if entry[1] == release_id])  # type: ignore[misc]
        if envelope_digest not in _digests(tried):
            tried += envelope_digest
        self._save(kept + [[sequence, release_id, cause, tried]])

    def cause(self, release_id: bytes, envelope_digest: bytes, is_asked: bool) -> int:
        """Return why this release must not be installed, 0 if it may be. `is_asked`: the owner wants it now."""
        for entry in self._load():
            if entry[1] == release_id:
                tried = _digests(entry[3])  # type: ignore[arg-type]
                is_lifted = is_asked or (envelope_digest not in tried and len(tried) <= RENEWED_OFFERS)
                return 0 if is_lifted and entry[2] in LIFTED_BY_OWNER else int(entry[2])  # type: ignore[call-overload]
        return 0

    def newest(self) -> int:
        """Return the highest number of a release that failed here, 0 if none did."""
        return max([0] + [int(entry[0]) for entry in self._load()])  # type: ignore[call-overload]

    def forget(self, sequence: int) -> None:
        """Forget every release up to this confirmed number: none of them can be offered again."""
        kept = [entry for entry in self._load() if int(entry[0]) > sequence]  # type: ignore[call-overload]
        if len(kept) != len(self._load()):
            self._save(kept)


def _digests(tried: bytes) -> "list[bytes]":
    return [tried[at : at + _DIGEST_BYTES] for at in range(0, len(tried), _DIGEST_BYTES)]


def _is_entry(entry: object) -> bool:
    """Return whether `entry` has the form of a verdict. Another release may have written something else."""
    if not isinstance(entry, list) or len(entry) != 4:
        return False
    for number in (entry[0], entry[2]):
        if isinstance(number, bool) or not isinstance(number, int):
            return False
    return isinstance(entry[1], bytes) and isinstance(entry[3], bytes) and 0 < entry[2] < len(CAUSES)

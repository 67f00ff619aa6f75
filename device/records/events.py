"""The owner's journal: refusals and reverts, newest last, limited in length, kept across restarts.

Rule: an event that is in the journal is written again only REPEAT_S after its last time, and then once. So two errors
that take turns wear no flash, and push no other event out.
"""

from device.codec.cbor import decode, encode
from device.compat import clip_utf8, const
from device.errors import CodecError, StorageError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.errors import FirstbootError
    from device.records.store import Store

REPEAT_S = 86400
_KEPT = const(8)
_TEXT_BYTES = const(160)


class Events:
    """A short journal in the user region: lists of [time or 0, error number, text]."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self.entries: "list[list[object]]" = self._load()

    def _load(self) -> "list[list[object]]":
        try:
            data = self._store.read("events")
            found = decode(data) if data else []
        except (CodecError, StorageError):
            return []  # a damaged journal is replaced by an empty one: nothing depends on it
        if not isinstance(found, list):
            return []
        return [entry for entry in found if isinstance(entry, list) and len(entry) == 3][-_KEPT:]

    def add(self, error: "FirstbootError", time_s: "int | None") -> None:
        """Add `error` to the journal, unless it is there and the rule above forbids to write it again.

        If the journal cannot be stored, it is kept until the next start: it must not stop what it reports on.
        """
        text = clip_utf8(error.describe(), _TEXT_BYTES)
        new: "list[object]" = [time_s or 0, error.code, text]
        kept = [entry for entry in self.entries if entry[1:] != new[1:]]
        for entry in self.entries:
            if entry[1:] == new[1:] and not _is_due(entry[0], time_s):
                return
        self.entries = (kept + [new])[-_KEPT:]
        try:
            self._store.write("events", encode(self.entries))
        except StorageError:
            pass


def _is_due(last: "Any", time_s: "int | None") -> bool:
    """Return whether an event of time `last` (unix s, 0: unknown) is written again. A time before it was corrected."""
    if not time_s or isinstance(last, bool) or not isinstance(last, int):
        return False
    return not 0 <= time_s - last < REPEAT_S

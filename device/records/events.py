"""The owner's journal: refusals and reverts, newest last, limited in length, kept across restarts."""

from device.codec.cbor import decode, encode
from device.compat import clip_utf8, const
from device.errors import CodecError, StorageError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.errors import FirstbootError
    from device.records.store import Store

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
        """Add `error` to the journal. A repetition of the last entry is not written, to spare the flash.

        If the journal cannot be stored, it is kept until the next start: it must not stop what it reports on.
        """
        text = clip_utf8(error.describe(), _TEXT_BYTES)
        if self.entries and self.entries[-1][1:] == [error.code, text]:
            return
        self.entries = (self.entries + [[time_s or 0, error.code, text]])[-_KEPT:]
        try:
            self._store.write("events", encode(self.entries))
        except StorageError:
            pass

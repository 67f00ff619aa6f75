"""The highest sequence numbers that this unit accepted from the network: of the key set and of the security contact.

Rules:
1. A number is raised after its record was stored. A power cut in between leaves the lower number, and the next start
   raises it.
2. So a stored record below its number, or none, is a record that this unit lost. The unit then accepts nothing that is
   older than the number: otherwise a hostile broker could bring back revoked keys with an old key set.
3. If the key of the security contact is revoked, its number is 0 again, because a thief may have signed any number.
4. If the record `floors` itself is lost or damaged, the stored records give the numbers again.
"""

from device.compat import const
from device.errors import RecordDamagedError
from device.records import counters

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.records.store import Store

_RECORD = "floors"
_KEYSET = const(1)
_CONTACT = const(2)


class Floors:
    """`keyset`, `contact`: the numbers, 0 for none. Methods may raise StorageError. The constructor only reads."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self.keyset = 0
        self.contact = 0
        self.fault: "RecordDamagedError | None" = None  # why the numbers are not those that were stored
        self._is_stored = False
        try:
            self._load()
        except RecordDamagedError as error:
            self.fault = error

    def _load(self) -> None:
        fields = counters.read(self._store, _RECORD, self._store)
        if fields is None:
            return
        numbers: "list[Any]" = [fields.get(_KEYSET), fields.get(_CONTACT)]
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int) or number < 0:
                raise RecordDamagedError(name=_RECORD)
        self.keyset, self.contact = numbers
        self._is_stored = True

    def save(self, keyset: int, contact: int) -> None:
        """Store the numbers of the records that are stored now."""
        if self._is_stored and (keyset, contact) == (self.keyset, self.contact):
            return
        self._store.write_map(_RECORD, {_KEYSET: keyset, _CONTACT: contact})
        self.keyset, self.contact = keyset, contact
        self._is_stored = True

"""Detect sources that withhold what the tracker names: a newer release, support record or key set (UP-13).

A hostile broker can pass on the tracker's records, so that the unit is not stale (records/staleness.py), and leave out
the release, support record or key set that they name.

Rules:
1. The tracker's numbers are notices. They change nothing that the unit accepts, installs or refuses.
2. The unit is *behind* in a kind if the tracker names a higher number than the unit has. The unit *has* a release if it
   runs it, tries it, stores it for its next trial, downloads it, shows it to its owner, or refused it after it had
   verified its signature.
3. The powered-on time for which a unit is behind adds up across restarts. It is charged in advance, as in
   records/staleness.py. It is set to zero if what was named at its beginning arrives, or if the tracker names no more
   than the unit has.
4. A kind is *withheld* after limits.WITHHELD_S of this time. That is decided at the end of an exchange with a source,
   so a unit that checks once a month compares before it reports. It ends as rule 3 describes.
5. A new key set ends it, because it may have revoked the tracker that named the numbers.
6. If the record is damaged or lost (records/counters.py), the full time counts for each kind in which the next exchange
   finds the unit behind.
"""

from device.compat import const
from device.errors import RecordDamagedError
from device.limits import STALE_STEP_S, WITHHELD_S
from device.records import counters
from device.records.staleness import Steps

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.interfaces import Clock
    from device.records.freshness import Freshness
    from device.records.store import Store

# The bit 1 << index represents a kind in the record and in reports.
KINDS = ("release", "support record", "key set")

_RECORD = "withheld"
_BITS = const(1)
_NUMBERS = const(2)
_SECONDS = const(3)
ABOVE_ALL = 1 << 53  # above every number that a tracker may name


def words(bits: int) -> "list[str]":
    """Return the kinds in `bits` as words."""
    return [KINDS[index] for index in range(len(KINDS)) if bits >> index & 1]


class Withheld:
    """The comparison of one unit, stored in the record `withheld` of the device region. Methods may raise StorageError.

    `bits`: the kinds that are withheld. `numbers`, `seconds`: for each kind the number that was named when the unit
    fell behind (0: it is not behind) and the powered-on time since.
    """

    def __init__(self, store: "Store", clock: "Clock") -> None:
        self._store = store
        self._steps = Steps(clock)
        self._named: "tuple[int, ...]" = ()
        self.bits = 0
        self.numbers = [0] * len(KINDS)
        self.seconds = [0] * len(KINDS)
        self._stored = self._content()
        self._load()

    def _load(self) -> None:
        try:
            fields = counters.read(self._store, _RECORD, self._store)
        except RecordDamagedError:
            fields = {}
        if fields is None:
            return
        bits: "Any" = fields.get(_BITS)
        numbers: "Any" = fields.get(_NUMBERS)
        seconds: "Any" = fields.get(_SECONDS)
        if (
            _are_counts([bits], 1, (1 << len(KINDS)) - 1)
            and _are_counts(numbers, len(KINDS), ABOVE_ALL)
            and _are_counts(seconds, len(KINDS), WITHHELD_S)
        ):
            self.bits, self.numbers, self.seconds = bits, numbers, seconds
            self._stored = self._content()
        else:
            self.numbers, self.seconds = [ABOVE_ALL] * len(KINDS), [WITHHELD_S] * len(KINDS)
            self._stored = {}  # differs from any content, so the next exchange writes its result

    def _content(self) -> "dict[int, object]":
        """Return what to store; all zero if the unit is not behind in any kind."""
        if not any(self.seconds):
            return dict(counters.NOTHING_WITHHELD)
        return {_BITS: self.bits, _NUMBERS: list(self.numbers), _SECONDS: list(self.seconds)}

    def _save(self) -> None:
        content = self._content()
        if content == self._stored:
            return
        self._store.write_map(_RECORD, content)
        self._stored = content

    def hear(self, fresh: "Freshness") -> None:
        """Keep the numbers that an accepted freshness record names."""
        self._named = (fresh.newest_manifest, fresh.newest_support, fresh.newest_keyset or 0)

    def compare(self, have: "tuple[int, ...]") -> int:
        """Compare at the end of an exchange. Returns the bits of the kinds whose withholding was found only now.

        `have`: the highest number that the unit has of each kind (rule 2).
        """
        if not self._named:
            return 0
        bits = 0
        for index in range(len(KINDS)):
            named = self._named[index]
            if have[index] >= self.numbers[index] or named <= have[index]:
                self.numbers[index] = self.seconds[index] = 0
            if named > have[index]:
                self.numbers[index] = min(self.numbers[index] or named, named)
                if self.seconds[index] >= WITHHELD_S:
                    bits |= 1 << index
        began = bits & ~self.bits
        self.bits = bits
        self._save()
        return began

    def named(self, index: int) -> int:
        """Return the number that the tracker named last for a kind."""
        return self._named[index]

    def forget(self) -> None:
        """Start again from zero, because a new key set is in use (rule 5)."""
        self._named, self.bits = (), 0
        for index in range(len(KINDS)):
            self.numbers[index] = self.seconds[index] = 0
        self._save()

    def tick(self) -> None:
        """Add the time since the last call. Call this every minute; at least every six days (interfaces.Clock)."""
        steps = self._steps.charge()
        if not steps:
            return
        for index in range(len(KINDS)):
            if self.numbers[index]:
                self.seconds[index] = min(self.seconds[index] + steps * STALE_STEP_S, WITHHELD_S)
        self._save()


def _are_counts(values: object, length: int, most: int) -> bool:
    """Return whether `values` is a list of `length` numbers from 0 to `most`."""
    if not isinstance(values, list) or len(values) != length:
        return False
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            return False
    return True

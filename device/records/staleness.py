"""Powered-on time since the last valid freshness record.

A hostile broker can withhold updates (freeze attack), but it cannot stop the unit from noticing and reporting that
(docs/design.md, Update; UP-13).

Rules:
1. Powered-on time adds up across restarts, without a clock. The unit is *stale* from limits.STALE_AFTER_S on.
2. Time is charged in advance, in steps of limits.STALE_STEP_S. So a power cut loses nothing, and a unit that restarts
   often counts too much rather than too little. A record within the first limits.STALE_GRACE_S costs no write.
3. Writes are bounded: one for each step, and one for the record that ends the count.
4. A damaged or lost count (counters.py) means *stale* until the next valid record.
"""

from device.compat import const
from device.errors import RecordDamagedError
from device.limits import STALE_AFTER_S, STALE_GRACE_S, STALE_STEP_S
from device.records import counters

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Clock
    from device.records.store import Store

_RECORD = "unheard"
_SECONDS = const(1)


class Steps:
    """The powered-on time in steps of STALE_STEP_S. A step is charged when it begins (rule 2)."""

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self._left_ms = STALE_GRACE_S * 1000  # until the next step is charged
        self._last_ms = clock.ticks_ms()

    def charge(self) -> int:
        """Return the steps that began since the last call.

        Call this every minute; at least every six days (interfaces.Clock).
        """
        now_ms = self._clock.ticks_ms()
        self._left_ms -= max(0, self._clock.ticks_diff(now_ms, self._last_ms))
        self._last_ms = now_ms
        steps = 0
        while self._left_ms <= 0:
            self._left_ms += STALE_STEP_S * 1000
            steps += 1
        return steps

    def restart(self) -> None:
        """Let the next step begin STALE_STEP_S from now."""
        self._left_ms = STALE_STEP_S * 1000
        self._last_ms = self._clock.ticks_ms()


class Staleness:
    """The count of one unit, stored in the record `unheard` of the device region. Methods may raise StorageError."""

    def __init__(self, store: "Store", clock: "Clock") -> None:
        self._store = store
        self._steps = Steps(clock)
        self.charged_s = self._load()

    def _load(self) -> int:
        try:
            fields = counters.read(self._store, _RECORD, self._store)
        except RecordDamagedError:
            return STALE_AFTER_S
        seconds = 0 if fields is None else fields.get(_SECONDS)
        if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
            return STALE_AFTER_S
        return seconds

    @property
    def is_stale(self) -> bool:
        """Return whether the unit has run STALE_AFTER_S seconds or more without a valid freshness record."""
        return self.charged_s >= STALE_AFTER_S

    def tick(self) -> None:
        """Add the time since the last call. Call this every minute; at least every six days (interfaces.Clock)."""
        steps = self._steps.charge()
        # A stale unit has nothing to add: no write until the next valid record.
        if steps and not self.is_stale:
            self._save(min(self.charged_s + steps * STALE_STEP_S, STALE_AFTER_S))

    def heard(self) -> None:
        """Start again from zero, because a valid freshness record arrived."""
        if self.charged_s:
            self._save(0)
        self._steps.restart()

    def _save(self, seconds: int) -> None:
        self._store.write_map(_RECORD, {_SECONDS: seconds})
        self.charged_s = seconds

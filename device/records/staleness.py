"""How long the unit has run without word of its maker: powered-on time since the last valid freshness record.

A hostile broker can keep updates away (freeze); it cannot keep the unit from saying so (docs/design.md, Update; UP-13).

Rules:
1. Powered-on time counts across restarts; a clock is not needed. *Stale* begins at limits.STALE_AFTER_S.
2. Time is charged when it begins, in steps of limits.STALE_STEP_S: a cut loses nothing, and a unit that is
   restarted often errs towards *stale*. A record that comes inside the first limits.STALE_GRACE_S costs no write.
3. Writes are bounded: one a step without word, one for the word that ends it.
4. A damaged record counts as *stale* until word comes.
"""

from device.compat import const
from device.errors import RecordDamagedError
from device.limits import STALE_AFTER_S, STALE_GRACE_S, STALE_STEP_S

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Clock
    from device.records.store import Store

_RECORD = "unheard"
_SECONDS = const(1)


class Staleness:
    """The count of one unit, kept in the device region's record `unheard`. Methods may raise StorageError."""

    def __init__(self, store: "Store", clock: "Clock") -> None:
        self._store = store
        self._clock = clock
        self.charged_s = self._load()
        self._left_ms = STALE_GRACE_S * 1000  # until the next step is charged
        self._last_ms = clock.ticks_ms()

    def _load(self) -> int:
        try:
            fields = self._store.read_map(_RECORD)
        except RecordDamagedError:
            return STALE_AFTER_S
        seconds = 0 if fields is None else fields.get(_SECONDS)
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= STALE_AFTER_S:
            return STALE_AFTER_S
        return seconds

    @property
    def is_stale(self) -> bool:
        """Whether the unit has run STALE_AFTER_S seconds or more without a valid freshness record."""
        return self.charged_s >= STALE_AFTER_S

    def tick(self) -> None:
        """Let time count; to be called at least every six days (interfaces.Clock), better every minute."""
        now_ms = self._clock.ticks_ms()
        self._left_ms -= max(0, self._clock.ticks_diff(now_ms, self._last_ms))
        self._last_ms = now_ms
        steps = 0
        while self._left_ms <= 0:
            self._left_ms += STALE_STEP_S * 1000
            steps += 1
        if steps and not self.is_stale:  # once stale there is nothing to add: no write until word comes
            self._save(min(self.charged_s + steps * STALE_STEP_S, STALE_AFTER_S))

    def heard(self) -> None:
        """A freshness record was valid: count from zero again."""
        if self.charged_s:
            self._save(0)
        self._left_ms = STALE_STEP_S * 1000
        self._last_ms = self._clock.ticks_ms()

    def _save(self, seconds: int) -> None:
        self._store.write_map(_RECORD, {_SECONDS: seconds})
        self.charged_s = seconds

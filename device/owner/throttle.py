"""The limit on guesses of a secret (PW-14): a durable count of failures, and a delay that grows with it.

Rules:
1. The count is stored before a guess is compared, so that a power cut undoes no failure and parallel guesses all
   count.
2. The first THROTTLE_FREE failures cost nothing. Each further failure doubles the delay, up to THROTTLE_CAP_S seconds.
   Because of the cap, nobody can lock the owner out permanently from the network.
3. No clock runs without power, so after a restart the whole delay begins again.
4. A count that cannot be read counts as many failures, and so does one that is missing in a unit that must have one
   (records/counters.py): a correct secret stores a zero.
5. A press of the device's button allows one attempt at once (`open_once`), so that guesses from the network cannot
   keep out an owner who is at the device. The press does not change the count.
"""

from device.compat import const
from device.errors import RecordDamagedError, ThrottledError
from device.limits import THROTTLE_CAP_S, THROTTLE_FREE
from device.records import counters

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Clock
    from device.records.store import Store

_MANY = 1000


def delay_s(failures: int) -> int:
    """Return the seconds that must pass after the latest of `failures` failures."""
    beyond = failures - THROTTLE_FREE
    if beyond <= 0:
        return 0
    # The exponent is bounded first: 1 << 1000 would be a number of a thousand bits.
    return min(1 << min(beyond - 1, 16), THROTTLE_CAP_S)


class Throttle:
    """The count of one device, stored in the user region's record `attempts`. The constructor only reads.

    `device`: the store of `owned`, which says whether the record must exist (counters.are_kept).
    """

    def __init__(self, store: "Store", clock: "Clock", device: "Store") -> None:
        self._store = store
        self._clock = clock
        self.failures = self._load(device)
        self._since_ms = clock.ticks_ms()
        self._is_waiting = True  # until wait_s finds the delay over

    def _load(self, device: "Store") -> int:
        try:
            fields = counters.read(self._store, counters.ATTEMPTS, device)
        except RecordDamagedError:
            return _MANY
        if fields is None:
            return 0
        count = fields.get(1)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            return _MANY
        return count

    def wait_s(self) -> int:
        """Return the seconds until the next guess is allowed, 0 if it is allowed now."""
        if not self._is_waiting:
            return 0
        passed_ms = self._clock.ticks_diff(self._clock.ticks_ms(), self._since_ms)
        left_ms = delay_s(self.failures) * 1000 - passed_ms
        # Ticks wrap: a negative distance means that days have passed.
        if passed_ms < 0 or left_ms <= 0:
            self._is_waiting = False
            return 0
        return (left_ms + 999) // 1000

    def check(self) -> None:
        """Raise ThrottledError(wait_s) if a guess must wait."""
        wait_s = self.wait_s()
        if wait_s:
            raise ThrottledError(wait_s=wait_s)

    def open_once(self) -> None:
        """Allow the next attempt at once; if it fails, the delay follows from the count as before."""
        self._is_waiting = False

    def count(self) -> None:
        """Store one more failure. Call it before the guess is compared. Raises StorageError."""
        failures = min(self.failures + 1, _MANY)
        self._store.write_map(counters.ATTEMPTS, {1: failures})
        self.failures = failures
        self._since_ms = self._clock.ticks_ms()
        self._is_waiting = True

    def clear(self) -> None:
        """Store a count of zero, because the secret was correct. Raises StorageError."""
        self._store.write_map(counters.ATTEMPTS, counters.NO_ATTEMPTS)
        self.failures = 0

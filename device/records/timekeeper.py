"""Trusted time: unknown until the unit accepts a tracker's record, then advanced by the unit's own ticks.

Rules (SP-10):
1. Without a record the time is unknown: now_s() is None.
2. The floor (build time, last accepted time) bounds what may be accepted; it is not a time.
"""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Clock

_FLOOR_STEP_S = const(86400)  # a stored floor moves at most once a day, which bounds flash writes


class TimeKeeper:
    """The clock of one unit. `floor_s` is the earliest time that can be true, unix seconds."""

    def __init__(self, clock: "Clock", floor_s: int) -> None:
        self.clock = clock
        self.floor_s = floor_s
        self._base_s: "int | None" = None
        self._base_ms = 0  # ticks at the last call
        self._rest_ms = 0  # passed until then, beyond whole seconds
        clock.set_trusted_time(None)

    def accept(self, time_s: int) -> bool:
        """Accept a time from a verified record. Return True if the stored floor should move."""
        self._base_s = time_s
        self._base_ms = self.clock.ticks_ms()
        self._rest_ms = 0
        self.clock.set_trusted_time(time_s)
        if time_s < self.floor_s + _FLOOR_STEP_S:
            return False
        self.floor_s = time_s
        return True

    def set_floor(self, floor_s: int) -> None:
        """Forget the time and start again from this floor, because a key set may have revoked the tracker."""
        self.floor_s = floor_s
        self._base_s = None
        self.clock.set_trusted_time(None)

    def now_s(self) -> "int | None":
        """Return trusted unix time in seconds, None if no record was accepted since power-on.

        Call this at least every six days: ticks wrap (interfaces.Clock).
        """
        if self._base_s is None:
            return None
        now_ms = self.clock.ticks_ms()
        passed_ms = self._rest_ms + max(0, self.clock.ticks_diff(now_ms, self._base_ms))
        self._base_s += passed_ms // 1000
        self._rest_ms = passed_ms % 1000
        self._base_ms = now_ms
        return self._base_s

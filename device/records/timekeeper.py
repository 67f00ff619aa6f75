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
        self.set_floor(floor_s)

    def set_floor(self, floor_s: int) -> None:
        """Forget the time and start again from this floor, because a key set may have revoked the tracker."""
        self.floor_s = floor_s
        # Unix seconds and ticks at the last call, and the milliseconds until then beyond whole seconds.
        self._base: "tuple[int, int, int] | None" = None
        self.clock.set_trusted_time(None)

    def accept(self, time_s: int) -> bool:
        """Accept a time from a verified record. Return True if the stored floor should move."""
        self._base = (time_s, self.clock.ticks_ms(), 0)
        self.clock.set_trusted_time(time_s)
        if time_s < self.floor_s + _FLOOR_STEP_S:
            return False
        self.floor_s = time_s
        return True

    def now_s(self) -> "int | None":
        """Return trusted unix time in seconds, None if no record was accepted since power-on.

        Call this at least every six days: ticks wrap (interfaces.Clock).
        """
        if self._base is None:
            return None
        base_s, base_ms, rest_ms = self._base
        now_ms = self.clock.ticks_ms()
        passed_ms = rest_ms + max(0, self.clock.ticks_diff(now_ms, base_ms))
        now_s = base_s + passed_ms // 1000
        self._base = (now_s, now_ms, passed_ms % 1000)
        return now_s

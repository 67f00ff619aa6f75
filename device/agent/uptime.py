"""The clock that the parts of a unit get: the board's ticks, counted on so that they never wrap.

A board's ticks wrap after twelve days (2**30 ms), and a distance of more than six days looks negative. An age
measured with them comes round: after twelve days an old press of the button, session or delay looks young again.

Rules:
1. `ticks_ms` adds up the distances between its own calls. The caller may compare any two results.
2. It must be called at least every six days. The agent calls it each second, from power-on (agent.py, `_feed`).
"""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Clock


class Uptime:
    """Implements interfaces.Clock over the board's `clock`."""

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self._last_ms = clock.ticks_ms()
        self._total_ms = 0

    def ticks_ms(self) -> int:
        """Return the milliseconds since construction."""
        now_ms = self._clock.ticks_ms()
        self._total_ms += max(0, self._clock.ticks_diff(now_ms, self._last_ms))
        self._last_ms = now_ms
        return self._total_ms

    def ticks_diff(self, later: int, earlier: int) -> int:
        """Return the distance of two results of `ticks_ms` in milliseconds."""
        return later - earlier

    def set_trusted_time(self, unix_s: "int | None") -> None:
        """Hand the time for certificate dates on to the board's clock."""
        self._clock.set_trusted_time(unix_s)

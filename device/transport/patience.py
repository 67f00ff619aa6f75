"""The wait for an answer that may be large, over a link that may be slow. No I/O: the caller notes what arrived.

Rules:
1. The wait is over after limits.REPLY_TIMEOUT_S without a byte of the answer.
2. A packet must arrive at limits.REPLY_BYTES_S on average, so that a peer cannot stretch it over hours.
3. A complete answer or a wanted message begins the wait again. A message that is not wanted does so only
   limits.CHUNK_WINDOW times: it may belong to an abandoned transfer and arrive before the answer.
"""

from device import limits
from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Clock


class Patience:
    """The time left of one wait."""

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self._begun_ms = self._byte_ms = clock.ticks_ms()
        self._arriving_bytes = 0
        self._strays = 0

    def note(self, is_progress: bool, strays: int, arriving_bytes: int) -> None:
        """Note one read: whether a wanted packet is complete, how many others are, bytes of an unfinished one."""
        now_ms = self._clock.ticks_ms()
        if strays:
            self._strays += strays
            is_progress = is_progress or self._strays <= limits.CHUNK_WINDOW
        if is_progress:
            self._begun_ms = self._byte_ms = now_ms
        elif arriving_bytes > self._arriving_bytes:
            self._byte_ms = now_ms
        self._arriving_bytes = arriving_bytes

    def left_ms(self) -> int:
        """Return the milliseconds until the wait is over, 0 or less if it is over."""
        now_ms = self._clock.ticks_ms()
        bound_ms = limits.REPLY_TIMEOUT_S * 1000
        earned_ms = self._arriving_bytes * 1000 // limits.REPLY_BYTES_S
        of_packet_ms: int = bound_ms + earned_ms - self._clock.ticks_diff(now_ms, self._begun_ms)
        of_byte_ms: int = bound_ms - self._clock.ticks_diff(now_ms, self._byte_ms)
        return min(of_packet_ms, of_byte_ms)

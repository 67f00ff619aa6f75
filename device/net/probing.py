"""The pause before the next request to a CoAP server that did not respond (RFC 7252 4.7, 4.8)."""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

PROBING_RATE = const(1)  # bytes a second, on average, to an endpoint that does not respond


class Probing:
    """The pause before the next request to an endpoint that acknowledged one and never answered it (4.7).

    A request without an acknowledgement does not need this: its retransmissions back off (4.2) and end after
    MAX_TRANSMIT_WAIT. Times are milliseconds of the driver's clock; `diff(later, earlier)` is the clock's.
    """

    def __init__(self, diff: "Callable[[int, int], int]") -> None:
        self._diff = diff
        self._since_ms = 0
        self._quiet_ms = 0

    def unanswered(self, begun_ms: int, sent_bytes: int) -> None:
        """Note that `sent_bytes`, sent from `begun_ms` on, got no response."""
        self._since_ms = begun_ms
        self._quiet_ms = sent_bytes * 1000 // PROBING_RATE

    def answered(self) -> None:
        """Note that the endpoint responded: the next request may go out."""
        self._quiet_ms = 0

    def wait_ms(self, now_ms: int) -> int:
        """Return how many milliseconds to wait before the next request, 0 if it may go out now."""
        left_ms = self._quiet_ms - self._diff(now_ms, self._since_ms)
        if left_ms <= 0:
            self._quiet_ms = 0  # forget it: ticks wrap
        return max(0, left_ms) if self._quiet_ms else 0

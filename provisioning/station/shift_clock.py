"""A station's clock beside one that nobody sets: a jump during a shift is noticed before it gets into papers.

Certificates begin at the station's time and a batch's oldest time is built into its units, so a wrong clock makes units
that no server takes. Rules:
1. Both clocks are read when a shift begins. From then on they may drift apart by TOLERANCE_S, no more.
2. It is looked at before a unit gets its identity, and again right before its lock: what was certified in between is
   certified anew by the next run.
3. A person who begins the next shift answers for the clock. A clock that was wrong before the shift is found by the
   registry alone, where its units have later times (provisioning/registry/operations.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from provisioning.registry.errors import ClockError

TOLERANCE_S: Final = 300


class ShiftClock:
    """`now`: unix seconds of the station; `steady`: seconds of a clock that is never set."""

    def __init__(self, now: Callable[[], int], steady: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._steady = steady
        self.begin()

    def begin(self) -> None:
        """A shift begins: the clock as it is now counts."""
        self._offset_s = self._now() - self._steady()

    def check(self) -> None:
        """Raise ClockError where the station's clock was set since the shift began."""
        jump_s = round(self._now() - self._steady() - self._offset_s)
        if abs(jump_s) > TOLERANCE_S:
            raise ClockError(
                f"the station's clock jumped {'forward' if jump_s > 0 else 'back'} by {_in_words(abs(jump_s))}:"
                " set it right, then stop and start the batch"
            )


def _in_words(seconds: int) -> str:
    days, minutes = seconds // 86400, seconds // 60
    return f"{days} days" if days > 1 else f"{minutes // 60} h {minutes % 60} min"

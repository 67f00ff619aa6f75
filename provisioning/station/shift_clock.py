"""Detect a jump of the station's clock during a shift, by comparing it with a clock that nobody sets.

Certificates begin at the station's time, and each unit holds the time of its batch as its earliest time, so no server
accepts units that were made with a wrong clock. Rules:
1. Both clocks are read when a shift begins. From then on they may differ by at most TOLERANCE_S.
2. The station checks before a unit gets its identity, and again immediately before its lock. If the clock jumped in
   between, the next run certifies the unit again.
3. The person who starts the next shift is responsible for the clock. If it was wrong before the shift, only the
   registry finds it, because its units have later times (provisioning/registry/reservations.py).
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
        """Start a shift: the present time counts as correct."""
        self._offset_s = self._now() - self._steady()

    def check(self) -> None:
        """Raise ClockError if the station's clock was set since the shift began."""
        jump_s = round(self._now() - self._steady() - self._offset_s)
        if abs(jump_s) > TOLERANCE_S:
            raise ClockError(
                f"the station's clock jumped {'forward' if jump_s > 0 else 'back'} by {_in_words(abs(jump_s))}:"
                " set it right, then stop and start the batch"
            )


def _in_words(seconds: int) -> str:
    days, minutes = seconds // 86400, seconds // 60
    return f"{days} days" if days > 1 else f"{minutes // 60} h {minutes % 60} min"

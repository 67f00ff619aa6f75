"""The share of each unit in the reports that a server keeps, so that no unit pushes out the reports of others.

Rules:
1. A unit has BURST reports at once, and one more each REFILL_S. An ordinary unit sends a few a day: none is refused.
2. A unit whose share is whole again is forgotten. Each process counts for itself, and a restart begins at zero.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

BURST: Final = 256
UNBOUNDED: Final = 1 << 40  # for a simulated unit, which lives a year in a minute
REFILL_S: Final = 600
_LOOK: Final = 10_000  # units that are counted before those with a whole share are forgotten


class ReportShare:
    """Counts the reports of each unit. The caller holds a lock. `now`: monotonic seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic, *, burst: int = BURST) -> None:
        self._now = now
        self._burst = burst
        self._whole_at: dict[str, float] = {}  # unit -> when its share is whole again
        self._next_look = _LOOK

    def take(self, device: str) -> bool:
        """Count one report of the unit; False, and nothing is counted, if its share is used up."""
        now = self._now()
        whole_at = max(self._whole_at.get(device, now), now) + REFILL_S
        if whole_at - now > self._burst * REFILL_S:
            return False
        self._whole_at[device] = whole_at
        if len(self._whole_at) >= self._next_look:
            self._whole_at = {unit: at for unit, at in self._whole_at.items() if at > now}
            self._next_look = max(_LOOK, 2 * len(self._whole_at))
        return True

    def __len__(self) -> int:
        """Return how many units are counted."""
        return len(self._whole_at)

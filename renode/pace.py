"""The time for which a recorded board is held, so that its idle time is not ahead of the host's time.

Guest time counts instructions, and an idle guest skips to its next timer. Left alone it would wait through all its time
limits at once. Time that the guest worked is never held: a slow host slows the guest's clock, a fast one speeds it up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

AHEAD_MS: Final = 4.0  # idle time that a guest may skip at once
LOOK_IDLE_S: Final = 0.0  # how soon an idle guest is looked at again: it skips 20 ms in a millisecond
LOOK_BUSY_S: Final = 0.005


class Pace:
    """The credit of idle time of one run, in milliseconds. It grows with the host's time, up to AHEAD_MS."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last_s = monotonic()
        self._credit_ms = AHEAD_MS
        self._idle_ms: float | None = None  # the guest's clock without its work, at the last look
        self.look_s = LOOK_BUSY_S

    def hold_s(self, clock_ms: int | None, work_ns: int) -> float:
        """Return the seconds for which the guest has to stand still now; 0 lets it run.

        `clock_ms` is the guest's clock, None while it has none. `work_ns` is the guest time of its instructions.
        """
        now_s = self._monotonic()
        self._credit_ms = min(AHEAD_MS, self._credit_ms + (now_s - self._last_s) * 1000)
        self._last_s = now_s
        idle_ms = None if clock_ms is None else clock_ms - work_ns / 1_000_000
        skipped_ms = 0.0 if idle_ms is None or self._idle_ms is None else max(0.0, idle_ms - self._idle_ms)
        self._idle_ms = idle_ms
        self._credit_ms -= skipped_ms
        self.look_s = LOOK_IDLE_S if skipped_ms > 0.5 else LOOK_BUSY_S
        return max(0.0, -self._credit_ms / 1000)

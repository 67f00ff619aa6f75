"""Time limits that give a busy machine more time, so that a busy machine slows an operation and never fails it.

A second counts only as far as a program of this machine could use it: if four programs want to run and there are two
processors, a second counts half. An idle machine keeps the limits as they are written.

The number of programs that want to run is read from Linux's /proc/loadavg (proc(5): the fourth field). On other
systems a second is a second.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

STRETCH_MOST: Final = 20  # times
SLICE_S: Final = 0.5  # the longest wait between two looks at how busy the machine is
_LOAD: Final = Path("/proc/loadavg")


def share() -> float:
    """Return the part of a processor that one program gets now: above 0, at most 1."""
    try:
        running = int(_LOAD.read_text().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return 1.0
    return min(1.0, _processors() / max(1, running))


class FairClock:
    """Seconds that count as `share` says. Threads may use one clock."""

    def __init__(
        self, share: Callable[[], float] = share, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._share = share
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last_s = monotonic()
        self._now_s = 0.0

    def now(self) -> float:
        """Return the seconds since an arbitrary moment. They never go back."""
        with self._lock:
            at_s = self._monotonic()
            self._now_s += (at_s - self._last_s) * self._share()
            self._last_s = at_s
            return self._now_s


_clock: Final = FairClock()


def now() -> float:
    """Return the seconds of the process's one FairClock, for deadlines: `fair_time.now() + limit_s`."""
    return _clock.now()


def stretched(seconds: float, share: Callable[[], float] = share) -> float:
    """Return the limit of a wait that cannot be looked at meanwhile, such as a socket's: longer on a busy machine.

    It is `seconds` at the present share of a processor, and at most STRETCH_MOST times as long.
    """
    return seconds * min(STRETCH_MOST, 1 / share())


def wait(event: threading.Event, seconds: float) -> bool:
    """Wait until `event` is set. Return False if it is not set within `seconds`."""
    end_s = now() + seconds
    while not event.wait(min(SLICE_S, max(0.0, seconds))):
        if now() >= end_s:
            return event.is_set()
    return True


def wait_for(condition: threading.Condition, is_done: Callable[[], bool], seconds: float) -> bool:
    """Wait, with `condition` held, until `is_done`. Return False if it is not within `seconds`."""
    end_s = now() + seconds
    while not is_done():
        if now() >= end_s:
            return False
        condition.wait(min(SLICE_S, max(0.0, seconds)))
    return True


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1

"""Time limits that give a busy machine more time, so that a busy machine slows an operation and never fails it.

A second counts only as far as a program of this machine could use it: if four programs want to run and there are two
processors, a second counts half. An idle machine keeps the limits as they are written.

The number of programs that want to run is read from Linux's /proc/loadavg (proc(5): the fourth field). What the host
of a virtual machine keeps for its other guests is read from /proc/stat (steal). On other systems a second is a second.

Who waits looks at the clock at least every GAP_MOST_S. A longer gap means that the whole machine stood still (a paused
virtual machine, a disk that did not answer), so it counts as GAP_MOST_S.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

_Result = TypeVar("_Result")

STRETCH_MOST: Final = 20  # times
SLICE_S: Final = 0.5  # the longest wait between two looks at how busy the machine is
GAP_MOST_S: Final = 5.0
_LOAD: Final = Path("/proc/loadavg")
_STAT: Final = Path("/proc/stat")
_STAT_FIELDS: Final = 8  # user, nice, system, idle, iowait, irq, softirq, steal
_STEAL_AFTER: Final = 20  # ticks of all processors between two looks: fewer say little


class Steal:
    """The time that the host of this virtual machine keeps for its other guests. Threads may use one object."""

    def __init__(self, path: Path = _STAT) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._last: list[int] = []
        self._left = 1.0

    def left(self) -> float:
        """Return the part of the wanted time of the processors that the host gave lately: above 0, at most 1."""
        with self._lock:
            try:
                ticks = [int(text) for text in self._path.read_text().split(None, 9)[1 : 1 + _STAT_FIELDS]]
            except (OSError, ValueError, IndexError):
                return 1.0
            if len(ticks) < _STAT_FIELDS:
                return 1.0
            if not self._last:
                self._last = ticks
            spent = [now - last for now, last in zip(ticks, self._last, strict=True)]
            if sum(spent) >= _STEAL_AFTER:
                self._last = ticks
                stolen, idle = spent[7], spent[3] + spent[4]
                wanted = max(1, sum(spent) - idle)
                self._left = min(1.0, max(1 / STRETCH_MOST, 1 - stolen / wanted))
            return self._left


_steal: Final = Steal()


def share() -> float:
    """Return the part of a processor that one program gets now: above 0, at most 1."""
    try:
        running = int(_LOAD.read_text().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return 1.0
    return min(1.0, _processors() / max(1, running)) * _steal.left()


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
            self._now_s += min(at_s - self._last_s, GAP_MOST_S) * self._share()
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


def patiently(
    attempt: Callable[[], _Result], seconds: float, late: type[Exception] = TimeoutError
) -> _Result:
    """Return what `attempt` returns: a call with a timeout of SLICE_S, for example on a socket, that raises `late` and
    leaves everything as it was.

    Raises `late` if no attempt ends within `seconds`, and what `attempt` raises.
    """
    end_s = now() + seconds
    while True:
        try:
            return attempt()
        except late:
            if now() >= end_s:
                raise


def receive(line: socket.socket, most: int, seconds: float) -> bytes:
    """Return 1 to `most` bytes of a socket, b"" at its end. Raises TimeoutError after `seconds`, OSError."""
    if not _until(lambda slice_s: bool(select.select([line], [], [], slice_s)[0]), seconds):
        raise TimeoutError("timed out")
    return line.recv(most)


def wait(event: threading.Event, seconds: float) -> bool:
    """Wait until `event` is set. Return False if it is not set within `seconds`."""
    return _until(event.wait, seconds) or event.is_set()


def wait_for(condition: threading.Condition, is_done: Callable[[], bool], seconds: float) -> bool:
    """Wait, with `condition` held, until `is_done`. Return False if it is not within `seconds`."""
    return _until(lambda slice_s: condition.wait_for(is_done, slice_s), seconds)


def _until(look: Callable[[float], bool], seconds: float) -> bool:
    """Call `look(slice_s)`, which waits for so long at most, until it returns True. Return False after `seconds`."""
    end_s = now() + seconds
    while not look(min(SLICE_S, max(0.0, seconds))):
        if now() >= end_s:
            return False
    return True


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1

"""Virtual time for asyncio: waiting takes no real time, and the clock moves only when every task waits.

The loop's clock jumps to the next timer instead of sleeping. So 72 hours of a device take only the time of its work,
and the same program sees the same times in every run. Real file descriptors still work: the loop polls them before
each jump. If all tasks wait and no timer is set, the loop raises DeadlockError instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from simulator.ports.clock import TICKS_PERIOD, Ticks
from simulator.tasks import end_tasks

T = TypeVar("T")


class DeadlockError(RuntimeError):
    """Every task waits, and no timer is set that can wake one."""


class _JumpingSelector(selectors.DefaultSelector):
    """Polls descriptors without waiting and adds the requested waiting time to `now_s`."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # The loop's own pipe is always registered. Another thread may write to it, so it is polled before a jump.
        if timeout == 0 and len(self.get_map()) == 1:
            return []
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            raise DeadlockError("every task waits and no timer is set")
        self.now_s += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time() starts at 0 and jumps."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._jumping.now_s

    def move(self, seconds: float) -> None:
        """Move the clock without running timers: those due in between run late, as in a busy program."""
        if seconds < 0:
            raise ValueError("time cannot go back")
        self._jumping.now_s += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in virtual time and return its result. As asyncio.run: tasks that are left are cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        try:
            return runner.run(main)
        finally:
            runner.run(end_tasks(asyncio.all_tasks(runner.get_loop())))


class LoopClock(Ticks):
    """device.interfaces.Clock on the running loop; virtual under VirtualLoop. Starts at `start_ms`."""

    def __init__(self, start_ms: int = 0) -> None:
        self._start_ms = start_ms
        self.trusted_time_s: int | None = None
        self._trusted_at_s = 0.0

    def ticks_ms(self) -> int:
        """Return the milliseconds since power-on, modulo 2**30."""
        return (int(asyncio.get_running_loop().time() * 1000) + self._start_ms) % TICKS_PERIOD

    def set_trusted_time(self, unix_s: int | None) -> None:
        """Set the time (Unix seconds) that certificate dates are checked against; None: dates are not checked."""
        self.trusted_time_s = unix_s
        self._trusted_at_s = asyncio.get_running_loop().time()

    def trusted_time(self) -> int | None:
        """Return the trusted time in Unix seconds, as it is now; None if none was set."""
        if self.trusted_time_s is None:
            return None
        return self.trusted_time_s + int(asyncio.get_running_loop().time() - self._trusted_at_s)

"""Virtual time for asyncio: a wait costs nothing, and the clock moves only when everybody waits.

The loop's own clock jumps to the next timer instead of sleeping, so 72 hours of a device take as long as its work
does, and the same program gives the same times in every run. Real descriptors still work: they are looked at
before each jump. A loop in which nothing can ever happen again raises DeadlockError instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlockError(RuntimeError):
    """Every task waits, and no timer is set that could wake one."""


class _JumpingSelector(selectors.DefaultSelector):
    """Looks at descriptors without waiting; the time that would have been waited is added to `now_s`."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # The loop's own end of a pipe is always there; another thread may wake it, so it is looked at before a jump.
        if timeout == 0 and len(self.get_map()) == 1:
            return []
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            raise DeadlockError("nothing is left that could happen")
        self.now_s += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time() starts at 0 and jumps."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Give the virtual seconds since the loop was made."""
        return self._jumping.now_s

    def move(self, seconds: float) -> None:
        """Let time pass while nobody looks: what is due meanwhile happens late, as in a busy program."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._jumping.now_s += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Give what `main` gives, in virtual time; every task that is left is cancelled. As asyncio.run."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class LoopClock:
    """device.interfaces.Clock on the running loop: virtual under VirtualLoop. Begins at `start_ms`."""

    def __init__(self, start_ms: int = 0) -> None:
        self._start_ms = start_ms
        self.trusted_time_s: int | None = None
        self._trusted_at_s = 0.0

    def ticks_ms(self) -> int:
        """Give the milliseconds since power-on, modulo 2**30."""
        return (int(asyncio.get_running_loop().time() * 1000) + self._start_ms) % (1 << 30)

    def ticks_diff(self, later: int, earlier: int) -> int:
        """Give the signed distance in ms, right for distances below 2**29."""
        half = 1 << 29
        return (later - earlier + half) % (1 << 30) - half

    def set_trusted_time(self, unix_s: int | None) -> None:
        """Keep the time that certificate dates are checked against; None = dates unchecked."""
        self.trusted_time_s = unix_s
        self._trusted_at_s = asyncio.get_running_loop().time()

    def trusted_time(self) -> int | None:
        """Give the trusted time, moved on since it was set (unix s), None while there is none."""
        if self.trusted_time_s is None:
            return None
        return self.trusted_time_s + int(asyncio.get_running_loop().time() - self._trusted_at_s)

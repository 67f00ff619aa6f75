"""Skip the ticks of a unit that count nothing.

`Updater.watch_silence` looks every minute whether another half hour of running time began. Sixty looks an hour for
each unit cost more than its hourly check. Here the unit sleeps through the minutes in which no step can begin, and then
ticks as ever, on the same minutes.

Why nothing changes: a tick in which no step begins only adds up time (device/records/staleness.py, Steps), and two
additions give what one gives. An exchange with the maker moves the next step later, never earlier.
`test_fleet_engine.py` compares a run with all ticks.
"""

from __future__ import annotations

import types
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from device.agent.updater import Updater
from device.limits import STALE_TICK_S
from device.records.staleness import Steps
from simulator.fleet.kernel import Kernel, Request


def idle_ticks(left_ms: int) -> int:
    """Return how many ticks come before the one in which a step begins, if it begins in `left_ms`."""
    return max(0, -(-left_ms // (STALE_TICK_S * 1000)) - 1)


def _left_ms(steps: Steps) -> int:
    """Return the milliseconds until the next step begins."""
    clock = steps._clock
    return int(steps._left_ms - clock.ticks_diff(clock.ticks_ms(), steps._last_ms))


@contextmanager
def few_ticks(kernel: Kernel) -> Iterator[None]:
    """Let every unit skip the ticks that count nothing."""
    watch: Any = Updater.watch_silence

    @types.coroutine
    def watch_seldom(updater: Updater) -> Generator[Request, None, None]:
        trusted = updater.service.trusted
        watching = watch(updater)
        while True:
            until_s, _ = watching.send(None)  # it sleeps until its next tick
            left_ms = min(_left_ms(trusted.staleness._steps), _left_ms(trusted.withheld._steps))
            until_s += idle_ticks(left_ms) * (until_s - kernel.now)
            yield until_s, None
            while kernel.now < until_s:
                yield until_s, None

    Updater.watch_silence = watch_seldom  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Updater.watch_silence = watch  # type: ignore[method-assign]

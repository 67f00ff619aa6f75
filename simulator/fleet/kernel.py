"""An asyncio for thousands of units in one process: what waits costs one entry in a heap, and nothing else.

Device code names the module `asyncio` and runs on MicroPython's and on CPython's. This is a third implementation of the
same names. A coroutine that waits gives the kernel (until, event): the true time at which it continues at the latest,
and the event that wakes it before. `wait_for` passes on the requests of what it waits for, so it needs no task of its
own, and an exchange whose answers are there already needs no turn of a loop.

Rules:
1. `now` is the true time in seconds. A unit's own clock may be fast or slow: `sleep` and `wait_for` count in seconds of
   the running unit (`Host.rate`).
2. What is due at the same time runs in the order in which it was asked for. So a run is repeatable.
3. A task that ends with an exception is handed to its host (`Host.ended`), unless it runs in `gather`, which raises it.
   A BaseException (a reset, a power cut) always goes to the host.
"""

from __future__ import annotations

import asyncio
import math
import sys
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import Any, Final, Protocol

Request = tuple[float, "Event | None"]
FOREVER: Final = math.inf
_KEPT_WAITERS: Final = 4


class Host(Protocol):
    """The owner of tasks: a unit."""

    rate: float  # seconds of its clock in a true second
    tasks: set[Task]  # that have not ended

    def ended(self, error: BaseException) -> None:
        """A task raised `error`."""


class Task:
    """One coroutine of a host. `turn` grows with each step, so that a wake-up of an earlier wait is recognised."""

    __slots__ = ("coroutine", "host", "on_end", "turn")

    def __init__(
        self,
        host: Host,
        coroutine: Coroutine[Any, Any, Any],
        on_end: Callable[[Exception | None], None] | None,
    ) -> None:
        self.host = host
        self.coroutine = coroutine
        self.on_end = on_end
        self.turn = 0

    def kill(self) -> None:
        """End the coroutine at once. What it awaits while it ends is not waited for, as after a loss of power."""
        self.turn = -1
        try:
            self.coroutine.close()
        except RuntimeError:
            pass  # it awaited in a `finally`, or it is the running one
        except BaseException as error:  # e.g. PowerCut of a flash that is off
            if isinstance(error, KeyboardInterrupt | MemoryError):
                raise


class Event:
    """asyncio.Event on a kernel."""

    __slots__ = ("_is_set", "_kernel", "_waiters")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._is_set = False
        self._waiters: list[tuple[Task, int]] = []

    def is_set(self) -> bool:
        """Return whether the event is set."""
        return self._is_set

    def set(self) -> None:
        """Set the event and wake every task that waits for it."""
        self._is_set = True
        if self._waiters:
            self._kernel.ready.extend(self._waiters)
            self._waiters = []

    def clear(self) -> None:
        """Unset the event."""
        self._is_set = False

    def add(self, task: Task) -> None:
        """Wake `task` with the next set()."""
        if len(self._waiters) >= _KEPT_WAITERS:
            self._waiters = [one for one in self._waiters if one[0].turn == one[1]]
        self._waiters.append((task, task.turn))

    @types.coroutine
    def wait(self) -> Generator[Request, None, bool]:
        """Wait until the event is set."""
        while not self._is_set:
            yield FOREVER, self
        return True


_Event = Event  # Kernel has a method of that name


class Kernel:
    """The time, the tasks and the names of `asyncio` that device code uses. One runs in a process at a time."""

    TimeoutError = TimeoutError
    CancelledError = asyncio.CancelledError

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0  # of tasks, so far
        self.ready: deque[tuple[Task, int]] = deque()
        self._heap: list[tuple[float, int, Task, int]] = []
        self._count = 0
        self._current: Task | None = None

    # the loop ----------------------------------------------------------------------------------------------
    def spawn(
        self,
        host: Host,
        coroutine: Coroutine[Any, Any, Any],
        on_end: Callable[[Exception | None], None] | None = None,
    ) -> Task:
        """Return a new task of `host` that begins at the present time. `on_end` gets its error, None without one."""
        task = Task(host, coroutine, on_end)
        host.tasks.add(task)
        self.ready.append((task, 0))
        return task

    def run_until(self, end_s: float) -> None:
        """Run everything that is due before `end_s`, and set the time to it."""
        heap, ready = self._heap, self.ready
        while True:
            if ready:
                task, turn = ready.popleft()
            elif heap and heap[0][0] < end_s:
                due_s, _, task, turn = heappop(heap)
                if task.turn != turn:
                    continue
                self.now = max(self.now, due_s)
            else:
                break
            if task.turn == turn:
                self._step(task)
        self.now = max(self.now, end_s)

    def _step(self, task: Task) -> None:
        task.turn += 1
        self.steps += 1
        self._current = task
        try:
            until_s, event = task.coroutine.send(None)
        except StopIteration:
            self._end(task, None)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            self._end(task, error)
        else:
            if event is not None:
                event.add(task)
            if until_s < FOREVER:
                self._count += 1
                heappush(self._heap, (until_s, self._count, task, task.turn))
        finally:
            self._current = None

    def _end(self, task: Task, error: BaseException | None) -> None:
        task.turn = -1
        task.host.tasks.discard(task)
        if task.on_end is not None and (error is None or isinstance(error, Exception)):
            task.on_end(error)
        elif error is not None:
            task.host.ended(error)

    def _rate(self) -> float:
        return self._current.host.rate if self._current is not None else 1.0

    # the names of asyncio ------------------------------------------------------------------------------------
    def Event(self) -> Event:
        """Return a new event."""
        return Event(self)

    @types.coroutine
    def sleep(self, seconds: float) -> Generator[Request, None, None]:
        """Wait `seconds` of the unit's clock."""
        until_s = self.now + seconds / self._rate()
        yield until_s, None
        while self.now < until_s:
            yield until_s, None

    @types.coroutine
    def until(self, until_s: float, event: _Event) -> Generator[Request, None, None]:
        """Wait until the true time `until_s`, or until `event` is set."""
        while self.now < until_s and not event.is_set():
            yield until_s, event

    @types.coroutine
    def wait_for(self, awaitable: Any, timeout_s: float) -> Generator[Request, None, Any]:
        """Return the result of a coroutine. After `timeout_s` seconds of the unit's clock cancel it: TimeoutError."""
        deadline_s = self.now + timeout_s / self._rate()
        thrown: BaseException | None = None
        is_late = False
        while True:
            try:
                step, thrown = thrown, None
                until_s, event = awaitable.send(None) if step is None else awaitable.throw(step)
            except StopIteration as stop:
                return stop.value
            except asyncio.CancelledError:
                if is_late:
                    raise TimeoutError from None
                raise
            if not is_late and self.now >= deadline_s:
                is_late, thrown = True, asyncio.CancelledError()
                continue
            try:
                yield until_s if is_late or until_s < deadline_s else deadline_s, event
            except BaseException as error:
                thrown = error

    async def gather(self, *coroutines: Coroutine[Any, Any, Any]) -> None:
        """Run all coroutines as tasks of this unit until they end. Raises the first exception; the others go on."""
        if self._current is None:
            raise RuntimeError("gather outside of a task")
        done, left, errors = self.Event(), [len(coroutines)], list[Exception]()

        def ended(error: Exception | None) -> None:
            left[0] -= 1
            if error is not None:
                errors.append(error)
            if error is not None or not left[0]:
                done.set()

        for coroutine in coroutines:
            self.spawn(self._current.host, coroutine, ended)
        if coroutines:
            await done.wait()
        if errors:
            raise errors[0]

    def create_task(self, coroutine: Coroutine[Any, Any, Any]) -> Task:
        """Return a new task of the running unit. Raises RuntimeError outside of a task."""
        if self._current is None:
            raise RuntimeError("create_task outside of a task")
        return self.spawn(self._current.host, coroutine)


@contextmanager
def in_place_of_asyncio(kernel: Kernel) -> Iterator[None]:
    """Let every imported module of `device` find `kernel` under the name `asyncio`."""
    changed = []
    for name, module in list(sys.modules.items()):
        if name.startswith("device.") and vars(module).get("asyncio") is asyncio:
            changed.append(module)
    try:
        for module in changed:
            vars(module)["asyncio"] = kernel
        yield
    finally:
        for module in changed:
            vars(module)["asyncio"] = asyncio

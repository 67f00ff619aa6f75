"""The base class of services with start() and stop(), and servers on an event loop in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol, Self

from provisioning import fair_time
from provisioning.servers.errors import ServerError

TIMEOUT_S: Final = 10.0


class Service:
    """A service. start() returns when it runs, stop() when it ended; `with` calls both. stop() can be called twice."""

    def start(self) -> None:
        """Start the service. Raises ServerError and its subclasses."""
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Serve(Protocol):
    """The coroutine of a server: it binds its port, calls `is_ready()`, and returns soon after `stopping` is set."""

    def __call__(self, is_ready: Callable[[], None], stopping: asyncio.Event) -> Awaitable[None]: ...


class LoopThread(Service):
    """A thread that runs `serve` on its own event loop. Raises ServerError if it does not start or stop in time."""

    def __init__(
        self,
        what: str,
        serve: Serve,
        around: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        """`around()`: a context manager that stays open until the loop's last task has ended, such as an open log."""
        self._what = what
        self._serve = serve
        self._around = around
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None

    @property
    def is_running(self) -> bool:
        """Return whether it was started and not stopped."""
        return self._thread is not None

    @property
    def is_alive(self) -> bool:
        """Return whether the thread is running; False after an error ended it."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Return when `serve` is ready."""
        if self._thread is not None:
            raise ServerError(f"this {self._what} is running")
        self._ready.clear()
        self._error = None
        self._loop = self._stopping = None
        self._thread = threading.Thread(target=self._main, name=self._what, daemon=True)
        self._thread.start()
        is_ready = fair_time.wait(self._ready, TIMEOUT_S)
        if self._error is not None or not is_ready:
            error = self._error
            self.stop()
            raise ServerError(f"{self._what} did not start: {error or 'no answer in time'}") from error

    def stop(self) -> None:
        """Let `serve` end, and wait for it."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stopping is not None and thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        end_s = fair_time.now() + TIMEOUT_S
        while thread.is_alive() and fair_time.now() < end_s:
            thread.join(fair_time.SLICE_S)
        if thread.is_alive():
            raise ServerError(f"{self._what} did not stop in time")

    def _main(self) -> None:
        try:
            with self._around():
                asyncio.run(self._run())
        except BaseException as error:  # reported by start(), which waits for it
            self._error = error
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        await self._serve(self._ready.set, self._stopping)

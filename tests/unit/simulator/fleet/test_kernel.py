"""The fleet's asyncio: virtual time, cancellation, and tasks that end with their host."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from device.agent import updater
from simulator.fleet.kernel import Kernel, Task, in_place_of_asyncio


class Host:
    """A host that keeps what its tasks raised."""

    def __init__(self, rate: float = 1.0) -> None:
        self.rate = rate
        self.tasks: set[Task] = set()
        self.errors: list[BaseException] = []

    def ended(self, error: BaseException) -> None:
        self.errors.append(error)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def run(kernel: Kernel, coroutine: Coroutine[Any, Any, Any], rate: float = 1.0) -> Host:
    host = Host(rate)
    kernel.spawn(host, coroutine)
    kernel.run_until(1e9)
    return host


def test_a_sleep_takes_virtual_time_only(kernel: Kernel) -> None:
    times = []

    async def sleeper() -> None:
        for seconds in (1.5, 0, 86_400):
            await kernel.sleep(seconds)
            times.append(kernel.now)

    run(kernel, sleeper())
    assert times == [1.5, 1.5, 86_401.5]


def test_a_fast_clock_sleeps_less(kernel: Kernel) -> None:
    times = []

    async def sleeper() -> None:
        await kernel.sleep(10)
        times.append(kernel.now)

    run(kernel, sleeper(), rate=2.0)
    assert times == [5.0]


def test_run_until_stops_before_what_is_due_later(kernel: Kernel) -> None:
    times = []

    async def sleeper() -> None:
        while True:
            await kernel.sleep(10)
            times.append(kernel.now)

    kernel.spawn(Host(), sleeper())
    kernel.run_until(20)
    assert (times, kernel.now) == ([10.0], 20)
    kernel.run_until(20.5)
    assert times == [10.0, 20.0]


def test_an_event_wakes_every_task_that_waits(kernel: Kernel) -> None:
    event, woken = kernel.Event(), []

    async def waiter(name: str) -> None:
        await event.wait()
        woken.append((name, kernel.now))

    async def setter() -> None:
        await kernel.sleep(3)
        event.set()

    for coroutine in (waiter("a"), waiter("b"), setter()):
        kernel.spawn(Host(), coroutine)
    kernel.run_until(10)
    assert woken == [("a", 3.0), ("b", 3.0)]


def test_wait_for_returns_the_result_without_a_step_of_its_own(kernel: Kernel) -> None:
    async def answer() -> int:
        return 42

    async def asker() -> None:
        assert await kernel.wait_for(answer(), 1) == 42

    assert not run(kernel, asker()).errors
    assert kernel.steps == 1


def test_wait_for_cancels_what_comes_too_late(kernel: Kernel) -> None:
    seen = []

    async def late() -> None:
        try:
            await kernel.sleep(100)
        except asyncio.CancelledError:
            seen.append(("cancelled", kernel.now))
            await kernel.sleep(2)  # as a close() that waits
            seen.append(("closed", kernel.now))
            raise

    async def asker() -> None:
        with pytest.raises(TimeoutError):
            await kernel.wait_for(late(), 5)
        seen.append(("asker", kernel.now))

    assert not run(kernel, asker()).errors
    assert seen == [("cancelled", 5.0), ("closed", 7.0), ("asker", 7.0)]


def test_an_outer_timeout_ends_an_inner_wait(kernel: Kernel) -> None:
    async def asker() -> None:
        with pytest.raises(TimeoutError):
            await kernel.wait_for(kernel.wait_for(kernel.Event().wait(), 50), 5)
        assert kernel.now == 5

    assert not run(kernel, asker()).errors


def test_gather_raises_the_first_exception(kernel: Kernel) -> None:
    async def fails(after_s: float) -> None:
        await kernel.sleep(after_s)
        raise ValueError(after_s)

    async def main() -> None:
        with pytest.raises(ValueError, match=r"2"):
            await kernel.gather(fails(3), fails(2))
        assert kernel.now == 2

    host = run(kernel, main())
    assert not host.errors
    assert not host.tasks


def test_a_reset_in_gather_goes_to_the_host(kernel: Kernel) -> None:
    class Reset(BaseException):
        pass

    async def resets() -> None:
        raise Reset

    async def main() -> None:
        await kernel.gather(resets())

    host = run(kernel, main())
    assert [type(error) for error in host.errors] == [Reset]


def test_a_killed_task_runs_its_finally_and_no_more(kernel: Kernel) -> None:
    seen = []

    async def main() -> None:
        try:
            await kernel.sleep(10)
            seen.append("woken")
        finally:
            seen.append("finally")
            await kernel.sleep(1)
            seen.append("never")

    task = kernel.spawn(Host(), main())
    kernel.run_until(5)
    task.kill()
    kernel.run_until(50)
    assert seen == ["finally"]


def test_device_modules_get_asyncio_back(kernel: Kernel) -> None:
    with in_place_of_asyncio(kernel):
        assert vars(updater)["asyncio"] is kernel
    assert vars(updater)["asyncio"] is asyncio

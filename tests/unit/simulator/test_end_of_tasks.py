"""Ending the device's tasks: also those that lose a cancellation."""

import asyncio

from simulator import virtual
from simulator.tasks import end_tasks


async def _loses_cancellations(count: int, ended: list[str]) -> None:
    """Ignore cancellations, as a unit whose wait ended in the same turn in which it was cancelled."""
    for _ in range(count):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue
    try:
        await asyncio.sleep(3600)
    finally:
        ended.append("ended")


def test_a_task_that_loses_two_cancellations_is_ended() -> None:
    ended: list[str] = []

    async def main() -> None:
        task = asyncio.create_task(_loses_cancellations(2, ended))
        await asyncio.sleep(0)
        await end_tasks([task])
        assert task.done()

    virtual.run(main())
    assert ended == ["ended"]


def test_a_virtual_run_ends_although_a_task_loses_its_cancellation() -> None:
    ended: list[str] = []

    async def main() -> str:
        asyncio.create_task(_loses_cancellations(1, ended))  # noqa: RUF006 - the run ends it
        await asyncio.sleep(1)
        return "result"

    assert virtual.run(main()) == "result"
    assert ended == ["ended"]


def test_the_exception_of_an_ended_task_is_dropped() -> None:
    async def fails() -> None:
        raise ValueError("the unit stopped")

    async def main() -> bool:
        task = asyncio.create_task(fails())
        await end_tasks([task])
        return task.done()

    assert virtual.run(main())

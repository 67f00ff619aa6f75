"""A task that ends for lack of memory begins again; the unit does not restart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from device.agent.steady import steady
from device.errors import LinkError
from simulator import virtual


def run(begin: Any, said: list[str]) -> None:
    virtual.run(steady(begin, said.append))


def test_a_task_without_memory_begins_again_until_it_ends_by_itself() -> None:
    begun: list[int] = []
    said: list[str] = []

    async def begin() -> None:
        begun.append(len(begun))
        if len(begun) < 3:
            raise MemoryError
        await asyncio.sleep(0)

    run(begin, said)
    assert begun == [0, 1, 2]
    assert said == ["no memory: a task begins again"] * 2


def test_a_console_line_without_memory_does_not_end_the_task() -> None:
    begun: list[int] = []

    async def begin() -> None:
        begun.append(len(begun))
        if len(begun) < 2:
            raise MemoryError

    def say(text: str) -> None:
        raise MemoryError

    virtual.run(steady(begin, say))
    assert len(begun) == 2


def test_every_other_error_still_ends_the_task() -> None:
    async def begin() -> None:
        raise LinkError(reason="closed")

    with pytest.raises(LinkError):
        run(begin, [])

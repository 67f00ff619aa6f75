"""The end of asyncio tasks that run the device's code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

CLEAN_UP_S: Final = 1.0  # before a task is cancelled again


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` until each has ended. Their results and exceptions are dropped.

    One cancel() is not enough before Python 3.12: asyncio.wait_for returns its result, not the cancellation, if both
    come in the same turn of the loop (cpython issue 86296). A device that exchanges messages all the time can lose
    several.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=CLEAN_UP_S)
        for task in done:
            if not task.cancelled():
                task.exception()  # marks it as retrieved

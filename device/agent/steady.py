"""Tasks that a lack of memory does not end: the unit refuses what asked last, and never restarts for it."""

import asyncio

from device.compat import const, forget

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Awaitable, Callable

_PAUSE_S = const(1)


async def steady(begin: "Callable[[], Awaitable[None]]", say: "Callable[[str], None]") -> None:
    """Await `begin()`. If it raises MemoryError, free what can be freed and, a second later, await `begin()` again."""
    while True:
        try:
            await begin()
            return
        except MemoryError:
            forget()
        await asyncio.sleep(_PAUSE_S)
        try:
            say("no memory: a task begins again")
        except MemoryError:
            pass

"""Bounded waiting for both asyncio versions: only MicroPython's has `wait_for_ms` and `sleep_ms`."""

import asyncio

from device.compat import const
from device.errors import LinkTimeoutError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Awaitable

_HAS_MS = hasattr(asyncio, "wait_for_ms")


async def within(awaitable: "Awaitable[Any]", timeout_ms: int, reason: str) -> "Any":
    """Return the result of `awaitable`. After `timeout_ms` cancel it and raise LinkTimeoutError(reason)."""
    try:
        if _HAS_MS:
            return await asyncio.wait_for_ms(awaitable, timeout_ms)  # type: ignore[attr-defined]
        return await asyncio.wait_for(awaitable, timeout_ms / 1000)
    except asyncio.TimeoutError:  # MicroPython has no builtin TimeoutError
        raise LinkTimeoutError(reason=reason)


async def sleep_ms(duration_ms: int) -> None:
    """Let other tasks run for `duration_ms`."""
    if _HAS_MS:
        await asyncio.sleep_ms(duration_ms)  # type: ignore[attr-defined]
    else:
        await asyncio.sleep(duration_ms / 1000)

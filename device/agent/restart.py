"""Restart the unit through the boot ROM, after a page or a console line had time to go out."""

import asyncio

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.agent.agent import Ports

_DELAY_S = const(1)


async def restart(ports: "Ports", reason: str) -> None:
    """Print `reason` on the console and reset. Returns only if the port's reset does (a test double)."""
    ports.say("restart: " + reason)
    await asyncio.sleep(_DELAY_S)
    ports.boot.reset()

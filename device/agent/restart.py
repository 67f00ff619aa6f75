"""Restart the unit through the boot ROM, after a short wait in which the last page and console line are sent."""

import asyncio

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.agent.agent import Ports

_DELAY_S = 1.4
_CLOSE_S = 0.1  # the network stack tells the clients


async def announce(ports: "Ports", reason: str) -> None:
    """Print `reason` on the console, end the clients, and return when the unit may be reset."""
    ports.say("restart: " + reason)
    await asyncio.sleep(_DELAY_S)
    ports.network.hang_up()
    await asyncio.sleep(_CLOSE_S)


async def restart(ports: "Ports", reason: str) -> None:
    """Announce and reset. Returns only if the port's reset does (a test double)."""
    await announce(ports, reason)
    ports.boot.reset()

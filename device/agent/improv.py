"""Improv Wi-Fi on a serial port of the unit (device/net/improv.py): its services, and the task that answers."""

import asyncio

from device.compat import const
from device.net.improv import SerialConversation
from device.owner import lifecycle

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

    from device.agent.assembly import Parts
    from device.interfaces import Stream

_READ_BYTES = const(64)
_TICK_S = 0.5


class Services:
    """net.improv.ImprovServices over the parts of a unit."""

    def __init__(self, parts: "Parts") -> None:
        self._parts = parts
        self._wifi: "Any" = parts.wifi
        self.prove = parts.owner.prove
        self.ticks_ms = parts.ports.clock.ticks_ms
        self.ticks_diff = parts.ports.clock.ticks_diff

    def is_open(self) -> bool:
        return bool(self._parts.owner.state() == lifecycle.FACTORY_DEFAULT)

    def choose(self, ssid: bytes, passphrase: bytes) -> None:
        self._wifi.choose(ssid, passphrase)

    def result(self) -> str:
        attempt = self._wifi.attempt
        return "" if attempt is None else str(attempt.result)

    def networks(self) -> "Sequence[Any]":
        self._wifi.rescan()
        found: "Sequence[Any]" = self._wifi.networks
        return found

    def facts(self) -> "tuple[str, str, str, str]":
        parts = self._parts
        return "Firstboot", parts.updates.profile.version, parts.ports.board.NAME, self._wifi.name

    def address(self) -> str:
        return "https://{}.local/".format(self._wifi.name)


async def answer(parts: "Parts", stream: "Stream") -> None:
    """Answer until the line ends. Raises LinkError."""
    conversation = SerialConversation(Services(parts))
    while True:
        try:
            data = await asyncio.wait_for(stream.read(_READ_BYTES), _TICK_S)
            if not data:
                return
            out = conversation.receive(data)
        except asyncio.TimeoutError:
            out = b""
        out += conversation.tick()
        if out:
            await stream.write(out)

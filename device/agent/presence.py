"""The unit's name on the owner's network: keep it announced, and answer who asks for it (device/net/mdns.py).

Rules:
1. A port without multicast announces nothing; its unit is reached by its address.
2. The unit announces in every state that has pages, since the owner needs the name for set-up.
3. The certificate names the first name. A unit that had to take NAME-2 is reached by it too, and by its address.
"""

import asyncio

from device.compat import const
from device.errors import DnsError, LinkError
from device.limits import MDNS_ADDRESS_MS, MDNS_GROUP, MDNS_PAUSE_MS, MDNS_PORT

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.agent.agent import Ports
    from device.interfaces import Group
    from device.net.mdns import Responder

_AGAIN_MS = const(5000)


class Presence:
    """Announces one unit. `label` is the name on its label, without `.local`."""

    def __init__(self, ports: "Ports", label: str) -> None:
        self._ports = ports
        self._label = label
        self._responder: "Responder | None" = None

    def names(self) -> "tuple[str, ...]":
        """Return the name that the unit announces now, () without one."""
        found = self._responder
        return (found.name,) if found is not None and found.name else ()

    async def run(self) -> None:
        """Announce until the unit restarts. Returns at once on a port without multicast."""
        while True:
            group: "Group | None" = None
            try:
                group = await self._ports.network.open_group(MDNS_GROUP, MDNS_PORT)
                if group is None:
                    return
                from device.net import mdns  # only here: a board without multicast needs no heap for it

                self._responder = mdns.Responder(self._label, self._random_byte, self._ports.clock.ticks_ms())
                await self._serve(group, self._responder)
            except LinkError as error:  # the network is not up yet, or was lost
                self._ports.say("name: " + error.describe())
            finally:
                self._responder = None
                if group is not None:
                    group.close()
            await asyncio.sleep(_AGAIN_MS / 1000)

    async def _serve(self, group: "Group", responder: "Responder") -> None:
        clock = self._ports.clock
        said = ""
        own = b""
        while True:
            now_ms = clock.ticks_ms()
            now = ipv4(self._ports.network.addresses())
            if own and now != own:
                return  # the group was joined on the interface of the old address
            own = now
            responder.set_address(now, now_ms)
            for data, to in responder.tick(now_ms):
                await group.send(data, to)
            if responder.name != said:
                said = responder.name
                if said:
                    self._ports.say("name: " + said)
            got = await group.receive(min(responder.wait_ms(now_ms), MDNS_ADDRESS_MS) + 1)
            if got is None:
                continue
            try:
                answers = responder.receive(got[0], got[1], clock.ticks_ms())
            except DnsError:
                answers = []  # anyone on the network can send anything
            for data, to in answers:
                await group.send(data, to)
            await asyncio.sleep(MDNS_PAUSE_MS / 1000)

    def _random_byte(self) -> int:
        found: int = self._ports.entropy.random_bytes(1)[0]
        return found


def ipv4(addresses: "object") -> bytes:
    """Return the first IPv4 address among texts as 4 bytes, b"" without one."""
    for text in addresses:  # type: ignore[attr-defined]
        parts = text.split(".")
        if len(parts) == 4 and all([part.isdigit() and len(part) < 4 and int(part) < 256 for part in parts]):
            if text != "0.0.0.0":  # noqa: S104  no address yet
                return bytes([int(part) for part in parts])
    return b""

"""The radio of one simulated unit: device.interfaces.Wifi in the air of simulator/ports/air.py.

How long a join takes is drawn from the air's seed. The link is looked at only when the unit asks for its state, so
virtual time works. The access point's servers listen on loopback, on free ports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from device.net import wifi
from device.ports.host import HostServer, HostStream
from device.ports.host_group import HostGroup

if TYPE_CHECKING:
    from device.interfaces import Bluetooth, Clock, Stream
    from simulator.ports.air import Air, Router

ADDRESS: Final = "127.0.0.1"
_ASSOCIATE_MS: Final = (300, 1500)
_ADDRESS_MS: Final = (200, 1200)
_REFUSE_MS: Final = 2000  # a router says no, or is not found


class SimWifi:
    """device.interfaces.Wifi. `securities`: what this radio can join; `answers_port`, `page_port`: 0 while closed."""

    def __init__(self, air: Air, clock: Clock, securities: tuple[str, ...] = wifi.JOINABLE) -> None:
        self.air = air
        self.bluetooth: Bluetooth | None = None
        self.securities = securities
        self.answers_port = self.page_port = 0
        self.joins: list[wifi.Network] = []  # every attempt, for tests
        self._clock = clock
        self._wanted: wifi.Network | None = None
        self._router: Router | None = None
        self._began_ms = 0
        self._cause = ""
        self._associated_ms = self._addressed_ms = 0
        self.own_name = ""

    # the link ------------------------------------------------------------------------------------------------
    async def scan(self) -> list[wifi.Seen]:
        """Return what is in range, after the seconds that a scan takes."""
        await asyncio.sleep(1.5)
        return self.air.scan()

    def join(self, network: tuple[bytes, bytes, str]) -> None:
        """Begin to join."""
        wanted = wifi.Network(*network)
        self.joins.append(wanted)
        self._wanted, self._began_ms = wanted, self._clock.ticks_ms()
        self._router = self.air.find(wanted)
        self._cause = self._refusal(wanted)
        self._associated_ms = self.air.chance.randint(*_ASSOCIATE_MS)
        self._addressed_ms = self._associated_ms + self.air.chance.randint(*_ADDRESS_MS)

    def _refusal(self, wanted: wifi.Network) -> str:
        router = self._router
        if wanted.security not in self.securities:
            return wifi.SECURITY
        if router is None:
            return wifi.SECURITY if self.air.has_weaker(wanted) else wifi.NOT_FOUND
        if router.security == wifi.WPA3 and wifi.WPA3 not in self.securities:
            return wifi.SECURITY
        if not router.accepts(wanted):
            return wifi.PASSPHRASE
        if router.signal_dbm < wifi.WEAK_DBM and self.air.chance.random() < self.air.weak_fails:
            return wifi.FAILED
        return ""

    def state(self) -> str:
        """Return how the link is now."""
        if self._wanted is None:
            return wifi.IDLE
        passed_ms = self._clock.ticks_diff(self._clock.ticks_ms(), self._began_ms)
        if self._cause:
            return self._cause if passed_ms >= _REFUSE_MS else wifi.JOINING
        router = self._router
        if router is None:
            return wifi.NOT_FOUND
        if not router.is_heard or not router.accepts(self._wanted):
            # As drivers do: another router of the same network, if there is one; otherwise the link is lost.
            self.join(self._wanted)
            self.joins.pop()
            return wifi.JOINING
        if passed_ms < self._associated_ms:
            return wifi.JOINING
        return wifi.JOINED if passed_ms >= self._addressed_ms and router.has_dhcp else wifi.ADDRESSING

    def signal_dbm(self) -> int | None:
        """Return the signal of the joined router."""
        return self._router.signal_dbm if self._router is not None and self.state() == wifi.JOINED else None

    def leave(self) -> None:
        """End the link."""
        self._wanted = self._router = None

    @property
    def router(self) -> Router | None:
        """Return the router that the unit is joined to."""
        return self._router if self.state() == wifi.JOINED else None

    @property
    def reaches_internet(self) -> bool:
        """Return whether servers can be reached over the link."""
        return self.router is not None and not self.router.is_captive

    # the access point ----------------------------------------------------------------------------------------
    async def open_access_point(self, name: str, passphrase: str) -> str:
        """Open it. Raises ValueError without a passphrase that WPA2 takes."""
        if not wifi.PASSPHRASE_CHARS[0] <= len(passphrase) <= wifi.PASSPHRASE_CHARS[1]:
            raise ValueError("passphrase")
        self.own_name = name
        self.air.units[name] = passphrase
        return ADDRESS

    async def close_access_point(self) -> None:
        """Close it."""
        self.air.units.pop(self.own_name, None)
        self.own_name = ""

    @property
    def is_access_point_open(self) -> bool:
        """Return whether the unit's own access point is open."""
        return bool(self.own_name)

    async def open_answers(self, port: int) -> HostGroup:
        """Return a UDP socket on loopback, on a free port."""
        loop = asyncio.get_running_loop()
        transport, made = await loop.create_datagram_endpoint(
            lambda: HostGroup((ADDRESS, 0)), local_addr=(ADDRESS, 0)
        )
        self.answers_port = transport.get_extra_info("sockname")[1]
        return made

    async def serve_page(self, port: int, handler: Callable[[Stream, object], Awaitable[None]]) -> HostServer:
        """Listen on loopback, on a free port."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            stream = HostStream(reader, writer)
            try:
                await handler(stream, writer.get_extra_info("peername")[0])
            finally:
                await stream.close()

        server = HostServer(await asyncio.start_server(serve, ADDRESS, 0))
        self.page_port = server.port
        return server

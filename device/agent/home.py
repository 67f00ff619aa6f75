"""The link to the owner's home, as long as it costs nothing: off, a unit has this object and no module of the link.

Rules:
1. The link exists once the owner opened its page or had switched it on before; then the modules stay in memory until
   the next start.
2. A check for updates goes first: the link is closed before each check, and opens after it. At a start it opens after
   the first check; on trial not at all.
"""

import asyncio

from device.codec import cbor
from device.compat import const
from device.errors import CodecError, StorageError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    from device.agent.home_link import HomeLink
    from device.records.store import Store

_RECORD = "home"
_IS_ON = const(1)


class HomeHost:
    """The place of one unit's link. `make` builds it; building the host reads and writes nothing."""

    def __init__(self, user: "Store", make: "Callable[[], HomeLink]") -> None:
        self._user = user
        self._make = make
        self._link: "HomeLink | None" = None
        self._wanted = asyncio.Event()
        self._is_aside = True

    def link(self) -> "HomeLink":
        """Return the link; the first call imports it."""
        if self._link is None:
            self._link = self._make()
            self._link.is_aside = self._is_aside
            self._wanted.set()
        return self._link

    async def run(self) -> None:
        """Keep the link for as long as the unit runs, as soon as there is one."""
        if self._is_switched_on():
            self.link()
        await self._wanted.wait()
        await self.link().run()

    def _is_switched_on(self) -> bool:
        try:
            data = self._user.read(_RECORD)
            fields = {} if data is None else cbor.decode(data)
        except (CodecError, StorageError):
            return False
        return isinstance(fields, dict) and fields.get(_IS_ON) is True

    async def step_aside(self) -> None:
        """Return when the link is closed, after limits.HOME_ASIDE_S at the latest."""
        self._is_aside = True
        if self._link is not None:
            await self._link.step_aside()

    def come_back(self) -> None:
        """Let the link open again."""
        self._is_aside = False
        if self._link is not None:
            self._link.come_back()

    async def farewell(self) -> None:
        """Remove the unit from a home that it is linked to, before a factory reset; takes limits.HOME_FAREWELL_S at
        most.
        """
        if self._link is not None:
            await self._link.farewell()

    def status(self) -> "dict[str, Any] | None":
        """Return HomeLink.status() of a link that is switched on, None of any other."""
        found = None if self._link is None else self._link.status()
        return found if found is not None and found["is_on"] else None

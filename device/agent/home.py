"""The link to the owner's home, as long as it costs nothing: off, a unit has this object and no module of the link.

Rules:
1. A check for updates goes first: the link is closed before each check, and opens after it. At a start it opens after
   the first check; on trial not at all.
2. During a check the modules of the link and of its page are not in memory: a transfer needs their heap. A page that
   the owner opens meanwhile loads them until it is answered. What the link knew besides its record is kept.
"""

import asyncio

from device.codec import cbor
from device.compat import const, unload
from device.errors import CodecError, StorageError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    from device.agent.home_link import HomeLink
    from device.records.store import Store

_RECORD = "home"
_IS_ON = const(1)
# What only a link or its page imports, from functions or from each other.
_BRIEF = (
    "device.web.home_site",
    "device.web.home_page",
    "device.agent.home_unit",
    "device.agent.home_link",
    "device.agent.home_session",
    "device.net.home_assistant",
    "device.owner.home",
)


class HomeHost:
    """The place of one unit's link. `make` builds it; building the host reads and writes nothing."""

    def __init__(self, user: "Store", make: "Callable[[], HomeLink]") -> None:
        self._user = user
        self._make = make
        self._link: "HomeLink | None" = None
        self._is_due = False  # whether the link has something to do after the check
        self._remains: "tuple[Any, ...] | None" = None  # of a link that was put away
        self._shown: "dict[str, Any] | None" = None  # its status
        self._wanted = asyncio.Event()
        self._is_aside = True

    def link(self) -> "HomeLink":
        """Return the link; the first call, and the first one after a check, imports it."""
        if self._link is None:
            self._link = self._make()
            self._link.is_aside = self._is_aside
            if self._remains is not None:
                self._link.restore(self._remains)
            self._wanted.set()
        return self._link

    async def run(self) -> None:
        """Keep the link for as long as the unit runs, as soon as there is one."""
        self._is_due = self._is_due or self._is_switched_on()
        self._wanted.set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if not self._is_aside and (self._is_due or self._link is not None):
                await self.link().run()
            self._put_away()

    def _put_away(self) -> None:
        """Free the link and its modules for a check (rule 2)."""
        if self._link is None:
            return
        if not self._is_aside:  # the check is over again
            self._wanted.set()
            return
        self._remains, self._shown = self._link.remains(), self._link.status()
        self._is_due = self._link.is_due()
        self._link = None
        unload(_BRIEF)

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
        self._wanted.set()

    async def farewell(self) -> None:
        """Remove the unit from a home that it is linked to, before a factory reset; takes limits.HOME_FAREWELL_S at
        most.
        """
        if self._link is not None:
            await self._link.farewell()

    def status(self) -> "dict[str, Any] | None":
        """Return HomeLink.status() of a link that is switched on, None of any other."""
        found = self._shown if self._link is None else self._link.status()
        return found if found is not None and found["is_on"] else None

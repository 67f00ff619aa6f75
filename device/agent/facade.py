"""Everything that the local pages may ask of a unit. Implements device/web/facade.py.

Rules:
1. public_info() and statement() are for everyone; the pages ask for everything else only inside a session (SE-06).
2. Nothing is decided here: life cycle, throttle, support period and updates have modules of their own.
"""

import asyncio

from device.agent import status
from device.codec import cose
from device.compat import const
from device.crypto import backend
from device.errors import RecordDamagedError
from device.limits import STATEMENT_BYTES
from device.update.service import IDLE

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Generator

    from device.agent.assembly import Parts
    from device.agent.home_link import HomeLink
    from device.update.signed_records import Stored


class Facade:
    """The unit as the pages see it."""

    def __init__(self, parts: "Parts") -> None:
        self._ports = parts.ports
        self._factory = parts.factory
        self._stores = parts.stores
        self._owner = parts.owner
        self._updates = parts.updates
        self._host = parts.host
        self._presence = parts.presence
        self._signals = parts.signals
        self.wifi = parts.wifi
        self._home = parts.home

    # what it shows -----------------------------------------------------------------------------------------
    def state(self) -> str:
        found: str = self._owner.state()
        return found

    def statement(self) -> bytes:
        """Return the JSON of the statement, read again: it may have 16 KiB, which the heap need not hold all the time.

        Raises StorageError, CodecError, RecordDamagedError if it is not the one that the start verified.
        """
        found: bytes = cose.decode(self._stores.device.require("statement"), STATEMENT_BYTES).payload
        if backend.sha256(found) != self._factory.statement_sha256:
            raise RecordDamagedError(name="statement")
        return found

    def public_info(self) -> "dict[str, Any]":
        """Return the information that is declared public: no serial number, no version, no owner (SE-06)."""
        return status.public_info(
            self._factory.identity,
            self._support().content,
            self._updates.trusted.newest_contact() or self._factory.contact,
            self._factory.statement_sha256,
        )

    def host_names(self) -> "tuple[str, ...]":
        """Return the lower-case names of this unit in a Host header: its addresses, and its name."""
        names = list(self._ports.network.addresses()) + list(self._ports.board.HOST_NAMES)
        names += [self._factory.name, self._factory.name + ".local"]
        names += self._presence.names()
        return tuple([name.lower() for name in names])

    def status(self) -> "dict[str, Any]":
        """Return what the owner sees after sign-in."""
        updates = self._updates
        now_s = updates.trusted.time.now_s()
        stored = self._support()
        contacted = updates.trusted.last_contact
        return {
            "version": updates.profile.version,
            "state": self.state(),
            "slot": self._ports.boot.slot,
            "is_trial": updates.releases.pending.is_trial,
            # The end date is shown even if its key is not trusted any more; the state is then unknown.
            "support": status.support_status(
                self._factory.identity.model, stored.content, now_s if stored.is_trusted else None
            ),
            "time": now_s,
            "update": status.update_status(updates),
            "application": self._host.status(),
            "last_contact": {"source": contacted[0], "time": contacted[1]} if contacted else None,
            "memory": self._ports.memory(),
            "network": self.wifi.status() if self.wifi is not None else None,
            "home": self._home.status(),
        }

    def _support(self) -> "Stored":
        trusted = self._updates.trusted
        found: "Stored | None" = trusted.support.stored("support", trusted.anchors)
        if found is None:
            raise RecordDamagedError(name="support")
        return found

    # what it changes ---------------------------------------------------------------------------------------
    async def setup(self, code: str, password: str, is_normalised: bool = False) -> None:
        """Make the caller the owner; updates start now. Raises what Owner.set_up raises."""
        await _finish(self._owner.set_up(code, password, is_normalised))
        self._signals.owned.set()

    async def login(self, password: str) -> None:
        """Return normally if `password` is the owner's. Raises what Owner.sign_in raises."""
        await _finish(self._owner.sign_in(password))

    async def change_password(self, old: str, new: str, is_normalised: bool = False) -> None:
        """Replace the password (PW-12). Raises what Owner.change raises."""
        await _finish(self._owner.change(old, new, is_normalised))

    async def reset(self, password: str) -> None:
        """Begin a factory reset: a second later the unit restarts and erases. Raises what Owner.reset raises."""
        await _finish(self._owner.reset(password))
        self._signals.reset.set()

    def is_press_needed(self) -> bool:
        """Return whether set-up waits for a press of the button."""
        found: bool = self._owner.is_press_needed()
        return found

    def set_automatic(self, is_automatic: bool) -> None:
        """Switch automatic updates on or off (UP-06). Raises StorageError."""
        self._updates.consent.set_automatic(is_automatic)

    def postpone(self, days: int) -> None:
        """Install nothing automatically for `days` days. Raises SettingsError, StorageError."""
        self._updates.consent.postpone(days)

    def install_now(self) -> None:
        """Install the offered release. Raises SettingsError."""
        self._updates.consent.install_now()

    def check_now(self) -> None:
        """Begin the next check for updates now; a check that is under way goes on instead."""
        if self._updates.state == IDLE:
            self._signals.wake.set()

    def change_application(self, values: "dict[str, Any]") -> None:
        """Store settings of the application. Raises SettingsError, StorageError."""
        self._host.page().change(values)

    def act(self, name: str) -> None:
        """Let the application carry out an action. Raises SettingsError."""
        self._host.page().act(name)

    def home(self) -> "HomeLink":
        """Return the link to the owner's home."""
        found: "HomeLink" = self._home.link()
        return found

    # ports that the pages use ------------------------------------------------------------------------------
    def random_bytes(self, length: int) -> bytes:
        found: bytes = self._ports.entropy.random_bytes(length)
        return found

    def ticks_ms(self) -> int:
        now_ms: int = self._ports.clock.ticks_ms()
        return now_ms

    def ticks_diff(self, later: int, earlier: int) -> int:
        passed_ms: int = self._ports.clock.ticks_diff(later, earlier)
        return passed_ms


async def _finish(steps: "Generator[None, None, None]") -> None:
    """Run a generator to its end; other tasks run between its steps."""
    for _ in steps:
        await asyncio.sleep(0)

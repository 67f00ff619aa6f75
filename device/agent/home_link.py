"""The unit in the owner's home: when it is linked to the owner's own MQTT broker, and what the owner sees of it.

Rules:
1. The link opens only after set-up, and only if the owner switched it on (device/owner/home.py).
2. The only thing that a broker can do is what "Install now" does: start the release that the author signed, that the
   unit verified, and that waits for the owner. It must name that release, and the owner must have allowed it.
3. A link that fails is tried again after 5, 10, 20, ... 300 seconds, each up to a quarter longer.
4. Switched off, or at a reset that the owner begins on the pages, the unit removes what it published. It tries once: if
   the broker does not answer then, the owner removes the device in Home Assistant.
5. A check for updates goes first (home.py, rule 2): a board's memory is not enough for two TLS connections to servers.
"""

import asyncio

from device.agent.home_session import HomeSession
from device.compat import const, forget
from device.crypto import backend
from device.errors import (
    CertificateError,
    CodecError,
    DefectError,
    EntropyError,
    FirstbootError,
    HomeError,
    LinkTimeoutError,
    MemoryShortError,
    PeerRefusedError,
    ProtocolError,
    StorageError,
)
from device.limits import (
    HOME_ASIDE_S,
    HOME_FAREWELL_S,
    HOME_PAUSE_CAP_S,
    HOME_PAUSE_S,
    HOME_STEADY_MS,
    HOME_TICK_MS,
)
from device.net import home_assistant
from device.owner import home

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    from device.agent.agent import Ports
    from device.net.home_assistant import Facts, Unit
    from device.owner.home import Broker
    from device.owner.settings import Consent
    from device.records.store import Store

# The link as the page shows it.
OFF = "off"
CONNECTING = "connecting"
CONNECTED = "connected"
ASIDE = "aside"  # closed while the unit checks for updates
WAITING = "waiting"  # for the next try
STATES = (OFF, CONNECTING, CONNECTED, ASIDE, WAITING)
# Why the last try failed: the word of each kind of error, the first that fits.
_REASONS = (
    (CertificateError, "certificate"),
    (PeerRefusedError, "refused"),
    (LinkTimeoutError, "no answer"),
    (ProtocolError, "protocol"),
    (CodecError, "protocol"),
    (MemoryShortError, "memory"),
)
UNREACHABLE = "unreachable"  # every other error
LEFT = "left"  # switched off, and the broker did not answer: rule 4
REASONS = ("certificate", "refused", "no answer", "protocol", "memory", UNREACHABLE, LEFT)

_POLL_S = 0.05


class HomeLink:
    """The link of one unit. `look(word)` returns home_assistant.Facts, with `word` as the update state unless it is "".

    Building the link reads the record and writes nothing.
    """

    def __init__(
        self,
        ports: "Ports",
        user: "Store",
        unit: "Unit",
        consent: "Consent",
        look: "Callable[[str], Facts]",
    ) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._user = user
        self._unit = unit
        self._consent = consent
        self._look = look
        self.is_aside = True
        self.reason = ""
        self._state = OFF
        self._was_tested = False  # whether the last try came to a good end
        self._is_test_due = False
        self._leaving: "Broker | None" = None  # the broker that still holds what this unit published
        self._is_busy = False
        self._pause_s = HOME_PAUSE_S
        self._changed = asyncio.Event()
        self.broker = self._load()

    def _load(self) -> "Broker | None":
        try:
            data = self._user.read(home.RECORD)
            return None if data is None else home.decode(data)
        except (CodecError, StorageError):
            return None

    # what the owner sees and does ----------------------------------------------------------------------------
    def status(self) -> "dict[str, Any] | None":
        """Return the saved choice without its password, and how the link is; None if nothing is saved."""
        broker = self.broker
        if broker is None:
            return None
        is_waiting_for_check = self.is_aside and self.is_due() and not self._is_busy
        return {
            "is_on": broker.is_on,
            "state": ASIDE if is_waiting_for_check else self._state,
            "reason": self.reason or None,
            "was_tested": self._was_tested,
            "address": broker.address,
            "port": broker.port,
            "name": broker.name,
            "user": broker.user,
            "authority": backend.sha256(broker.authority).hex(),
            "may_install": broker.may_install,
        }

    def save(self, wanted: "Broker") -> None:
        """Store a choice; an empty password or authority stays. Raises HomeError, StorageError."""
        self._store(home.changed(self.broker, wanted))

    def switch(self, is_on: bool) -> None:
        """Switch the link on or off. Raises HomeError (reason "nothing" if nothing is saved), StorageError."""
        self._store(home.altered(self._saved(), is_on=is_on))

    def forget(self) -> None:
        """Erase the choice and its password. Raises HomeError, StorageError."""
        saved = self._saved()
        self._user.delete(home.RECORD)
        self._switch_to(saved, None)

    def test(self) -> None:
        """Try the broker now, whether the link is on or off; status() says how it went. Raises HomeError."""
        self._saved()
        self._is_test_due = True
        self._hurry()

    def _saved(self) -> "Broker":
        if self.broker is None:
            raise HomeError(reason="nothing")
        return self.broker

    def _store(self, broker: "Broker") -> None:
        if broker != self.broker:
            self._user.write(home.RECORD, home.encode(broker))
        self._switch_to(self.broker, broker)

    def _switch_to(self, old: "Broker | None", new: "Broker | None") -> None:
        is_kept = (
            old is not None and new is not None and new.is_on and home.receiver(old) == home.receiver(new)
        )
        if old is not None and old.is_on and not is_kept:
            self._leaving = old
        self.broker = new
        self._hurry()

    def _hurry(self) -> None:
        self._was_tested, self.reason = False, ""
        self._pause_s = HOME_PAUSE_S
        if self.is_due():
            self._state = CONNECTING
        self._changed.set()

    def remains(self) -> "tuple[Any, ...]":
        """Return what this link knows besides its record, for restore() of the next one."""
        return self.reason, self._state, self._was_tested, self._is_test_due, self._leaving, self._pause_s

    def restore(self, remains: "tuple[Any, ...]") -> None:
        """Go on as the link that `remains` are of."""
        self.reason, self._state, self._was_tested, self._is_test_due, self._leaving, self._pause_s = remains

    # what the unit does --------------------------------------------------------------------------------------
    async def step_aside(self) -> None:
        """Close the link for a check; return when it is closed, after limits.HOME_ASIDE_S at the latest."""
        self.is_aside = True
        self._changed.set()
        begun_ms = self._clock.ticks_ms()
        while self._is_busy and self._passed_ms(begun_ms) < HOME_ASIDE_S * 1000:
            await asyncio.sleep(_POLL_S)

    def come_back(self) -> None:
        """Let the link open again."""
        self.is_aside = False
        self._changed.set()

    async def farewell(self) -> None:
        """Remove the unit from the broker that it is connected to; takes limits.HOME_FAREWELL_S at most."""
        if self._state != CONNECTED:
            return
        self._switch_to(self.broker, None)
        begun_ms = self._clock.ticks_ms()
        while self._leaving is not None and self._passed_ms(begun_ms) < HOME_FAREWELL_S * 1000:
            await asyncio.sleep(_POLL_S)

    async def run(self) -> None:
        """Keep the link until a check begins."""
        while not self.is_aside:
            self._changed.clear()
            is_well = True
            if self.is_due():
                is_well = await self._attempt()
                if self.is_aside:
                    return
            if is_well:
                await self._changed.wait()
                continue
            try:
                await asyncio.wait_for(self._changed.wait(), self._pause_s * (1 + self._jitter() / 4))
            except asyncio.TimeoutError:
                self._pause_s = min(2 * self._pause_s, HOME_PAUSE_CAP_S)

    def _jitter(self) -> float:
        try:
            return int.from_bytes(self._ports.entropy.random_bytes(2), "big") / 65536
        except EntropyError:
            return 0.0

    def is_due(self) -> bool:
        """Return whether the link has to be opened."""
        is_wanted = self.broker is not None and (self.broker.is_on or self._is_test_due)
        return is_wanted or self._leaving is not None

    async def _attempt(self) -> bool:
        """Do what is due next. Return False if it failed and is to be tried again after a pause."""
        leaving = self._leaving
        broker = self._saved() if leaving is None else leaving
        self._is_busy, self._state = True, CONNECTING
        begun_ms = self._clock.ticks_ms()
        session = HomeSession(self._ports.network, self._clock, self._unit, broker, self._hear)
        error: "FirstbootError | None" = None
        is_well = False
        try:
            await session.open()
            await self._work(session, broker)
            is_well = True
        except FirstbootError as found:
            error = found
        except MemoryError:
            error = MemoryShortError(what="home")
        except Exception as defect:  # updates and pages go on, also if the broker found a defect
            error = DefectError(kind=type(defect).__name__)
        finally:
            await session.close(is_well)
            self._is_busy = False
            if leaving is not None:
                self._leaving = None  # rule 4: one try
        if error is not None:
            forget()
            self._ports.say("home: " + error.describe())
        if self._passed_ms(begun_ms) > HOME_STEADY_MS:
            self._pause_s = HOME_PAUSE_S
        return self._note(error, leaving is not None)

    async def _work(self, session: "HomeSession", broker: "Broker") -> None:
        if self._leaving is broker:
            await session.remove()
        elif broker.is_on:
            await self._keep(session, broker)
        else:
            await session.flush()
            self._was_tested, self.reason = True, ""

    async def _keep(self, session: "HomeSession", broker: "Broker") -> None:
        """Publish, and listen, until the owner changes something or a check begins."""
        await session.begin(self._look(""))
        self._state, self._was_tested, self.reason, self._is_test_due = CONNECTED, True, "", False
        looked_ms = self._clock.ticks_ms()
        while self.broker is broker and not self.is_aside and not self._is_test_due:
            await session.listen()
            if self._passed_ms(looked_ms) >= HOME_TICK_MS:
                looked_ms = self._clock.ticks_ms()
                await session.publish(self._look(""))
        if self._leaving is broker:
            await session.remove()
            self._leaving = None
        elif self.is_aside:  # Home Assistant shows this until the check is over
            await session.publish(self._look("checking"))

    def _hear(self, payload: bytes) -> None:
        """Take a command (rule 2); everything else is ignored."""
        sequence = self._consent.waiting_sequence()
        if sequence and payload == home_assistant.command(sequence).encode():
            self._ports.say("home: asked to install release {}".format(sequence))
            self._consent.install_now()

    def _note(self, error: "FirstbootError | None", was_leaving: bool) -> bool:
        """Note how a try ended. Return False if it is to be repeated after a pause."""
        self._is_test_due = self._is_test_due and error is None and self._state == CONNECTED
        is_on = self.broker is not None and self.broker.is_on
        if error is not None and not was_leaving:
            self.reason = reason_of(error)
            self._state = WAITING if is_on else OFF
            return not is_on
        if error is not None and not self.is_due():
            self.reason = LEFT
        self._state = OFF
        if self.is_due():
            self._state = CONNECTING
            self._changed.set()
        return True

    def _passed_ms(self, since_ms: int) -> int:
        passed: int = self._clock.ticks_diff(self._clock.ticks_ms(), since_ms)
        return passed


def reason_of(error: "FirstbootError") -> str:
    """Return the word of REASONS for the error that ended a try."""
    for kind, word in _REASONS:
        if isinstance(error, kind):
            return word
    return UNREACHABLE

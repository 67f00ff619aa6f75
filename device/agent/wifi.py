"""The unit on the owner's Wi-Fi: when its access point is open, which network it joins, and what the pages show.

Rules:
1. The access point is open, under the name and with the passphrase on the label, while the unit has no network that
   worked; for WIFI_LINGER_S after a join; and for WIFI_WINDOW_S after a press of the button while the network is not
   reached. At all other times it is closed. Without a passphrase in the unit's records there is no access point.
2. A network is stored when it gave an address (net/wifi.py, rule 1). Until then the stored one stays, and the unit
   returns to it if the new one fails.
3. A lost network is tried again after 5, 10, 20, ... 300 seconds, permanently. Each pause is up to a quarter longer, so
   that the units of a house do not come back at once after a power cut.
4. A network that refuses the passphrase is tried again like one that is lost, since a radio can be wrong about it. The
   owner tells a changed passphrase over the access point (rule 1: button, then the owner's password), or resets the
   unit.
5. The unit looks for networks when the access point opens, after a try that failed, and when its owner asks; never by
   itself on a network.
"""

import asyncio
from collections import namedtuple

from device.compat import const
from device.errors import FirstbootError, LinkError, WifiError
from device.limits import (
    WIFI_JOIN_S,
    WIFI_LINGER_S,
    WIFI_NETWORKS,
    WIFI_PAUSE_CAP_S,
    WIFI_PAUSE_S,
    WIFI_SURE_S,
    WIFI_WINDOW_S,
)
from device.net import wifi

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

    from device.agent.agent import Ports
    from device.agent.portal import Portal
    from device.net.wifi import Network, Seen
    from device.records.store import Store

_TICK_S = 0.25
_GOODBYE_S = const(2)
# The owner's last choice. ssid: bytes; result: wifi.JOINING while it runs, wifi.JOINED, or a cause (wifi.CAUSES,
# wifi.WEAK, "storage").
Attempt = namedtuple("Attempt", ("ssid", "result"))


class WifiHost:
    """The network of one unit. `name`, `passphrase`: of its access point; an empty passphrase: none is opened.

    `on_joined` is called after each join. Building it reads nothing; run() does.
    """

    def __init__(
        self,
        ports: "Ports",
        user: "Store",
        name: str,
        passphrase: str,
        on_joined: "Callable[[], None]",
        portal: "Portal | None" = None,
    ) -> None:
        self._radio = ports.wifi
        self._clock = ports.clock
        self._entropy = ports.entropy
        self._say = ports.say
        self._user = user
        self.name = name
        self._passphrase = passphrase
        self._on_joined = on_joined
        self._portal = portal
        self.stored: "Network | None" = None
        self.attempt: "Attempt | None" = None
        self.networks: "list[Seen]" = []
        self.is_open = False  # the access point
        self.lost_for = ""  # the cause, while the stored network is not reached
        self.earlier_contact: object = None  # the last one before the present network was joined
        self._wanted: "Network | None" = None  # the owner's choice, until the loop takes it
        self._trying: "Network | None" = None
        self._last: "Network | None" = None  # the owner's choice until it is joined
        self._is_switched_on = False
        self._since_ms = 0  # of the present try
        self._sure_ms: "int | None" = None  # since when the radio says the cause that it says now
        self._said = ""
        self._is_link_up = False
        self._pause_s = WIFI_PAUSE_S
        self._again_ms: "int | None" = None  # when the stored network is tried again
        self._open_until_ms: "int | None" = None
        self._is_scan_due = False

    # what the owner sees -------------------------------------------------------------------------------------
    def is_joined(self) -> bool:
        """Return whether the unit is on a network that gave it an address."""
        return self._is_link_up

    def status(self) -> "dict[str, Any]":
        """Return {"network": text or None, "state", "signal_dbm", "access_point": bool, "lost_for", "attempt":
        {"network", "result"} or None}; no passphrase.
        """
        attempt = self.attempt
        return {
            "network": wifi.text_of(self.stored.ssid) if self.stored is not None else None,
            "state": self._radio.state(),
            "signal_dbm": self._radio.signal_dbm(),
            "access_point": self.is_open,
            "lost_for": self.lost_for or None,
            "attempt": None
            if attempt is None
            else {"network": wifi.text_of(attempt.ssid), "result": attempt.result},
        }

    # what the owner does -------------------------------------------------------------------------------------
    def choose(self, ssid: bytes, passphrase: bytes, security: str = "") -> None:
        """Begin to join a network. `security`: as seen in a scan; "": of a network that is not in the list.

        The same choice again, from a second click or tab, changes nothing while it is tried. Raises WifiError: "busy",
        and what wifi.check raises.
        """
        if not security:
            security = wifi.WPA2 if passphrase else wifi.OPEN
        network = wifi.Network(ssid, passphrase, security)
        if self._wanted is not None or self._is_trying_choice():
            if network == self._last:
                return
            raise WifiError(reason="busy")
        wifi.check(network, self._radio.securities)
        self._wanted = self._last = network
        self.attempt = Attempt(ssid, wifi.JOINING)

    def rescan(self) -> None:
        """Look for networks again, soon."""
        self._is_scan_due = True

    def is_looking(self) -> bool:
        """Return whether the list of networks is about to be renewed."""
        return self._is_scan_due

    def again(self) -> None:
        """Try the owner's last choice once more, with the passphrase of then. Raises WifiError "nothing", "busy"."""
        last = self._last
        if last is None:
            raise WifiError(reason="nothing")
        self.choose(last.ssid, last.passphrase, last.security)

    def finish(self) -> None:
        """Close the access point in a moment, if the unit has a network; the page that says so is sent before."""
        self._open_for(_GOODBYE_S)

    def pressed(self) -> None:
        """Open the access point for WIFI_WINDOW_S if the unit is not on its network (rule 1)."""
        if not self._is_link_up:
            self._open_for(WIFI_WINDOW_S)
            self._is_scan_due = True

    def switched_on(self) -> None:
        """On a board without a button: if the network is not reached now, do as after a press."""
        self._is_switched_on = True

    # the loop ------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Keep the network and the access point as the rules say, until the unit restarts."""
        try:
            self.stored = wifi.load(self._user)
        except FirstbootError as error:  # the owner chooses again; the unit stays as closed as before
            self._say("network: " + error.describe())
        if self.stored is not None:
            self._try(self.stored)
        try:
            while True:
                try:
                    await self._tick()
                except LinkError as error:
                    self._say("network: " + error.describe())
                    await asyncio.sleep(WIFI_PAUSE_S)
                await asyncio.sleep(_TICK_S)
        finally:
            await self._close()

    async def _tick(self) -> None:
        now_ms = self._clock.ticks_ms()
        if self._wanted is not None:
            chosen, self._wanted = self._wanted, None
            self._try(chosen)
        self._watch(now_ms)
        if self._should_be_open(now_ms):
            await self._open()
        else:
            await self._close()
        if self._is_scan_due and not self._is_trying_choice() and (self.is_open or self._trying is None):
            await self._scan()

    async def _scan(self) -> None:
        try:
            seen = await self._radio.scan()
        finally:
            self._is_scan_due = False
        self.networks = wifi.strongest([wifi.Seen(*one) for one in seen], WIFI_NETWORKS)

    def _watch(self, now_ms: int) -> None:
        """Look at the link: a try that ended, a link that was lost, a pause that is over."""
        state = self._radio.state()
        if self._trying is not None:
            self._watch_try(state, now_ms)
        elif self._is_link_up and state != wifi.JOINED:
            self._is_link_up = False
            self.lost_for = state
            self._say("network: lost")
            self._wait(now_ms)
        elif self._again_ms is not None and self._passed_ms(now_ms, self._again_ms) >= 0:
            self._again_ms = None
            if self.stored is not None:
                self._try(self.stored)

    def _watch_try(self, state: str, now_ms: int) -> None:
        if state == wifi.JOINED:
            self._joined()
            return
        if state not in wifi.CAUSES:
            self._sure_ms = None
            if self._passed_ms(now_ms, self._since_ms) >= WIFI_JOIN_S * 1000:
                self._failed(wifi.NO_ADDRESS if state == wifi.ADDRESSING else wifi.FAILED, now_ms)
            return
        if self._sure_ms is None or state != self._said:
            self._sure_ms, self._said = now_ms, state
        elif self._passed_ms(now_ms, self._sure_ms) >= WIFI_SURE_S * 1000:
            self._failed(state, now_ms)

    def _try(self, network: "Network") -> None:
        self._radio.leave()
        self._is_link_up = False
        self._trying, self._since_ms, self._sure_ms = network, self._clock.ticks_ms(), None
        self._again_ms = None
        self._radio.join(network)

    def _joined(self) -> None:
        network, self._trying = self._trying, None
        if network is None:
            return
        self._is_link_up, self.lost_for, self._pause_s = True, "", WIFI_PAUSE_S
        self._is_switched_on = False
        if network == self._last:
            self._last = None
        result = wifi.JOINED
        if network != self.stored:
            try:
                wifi.store(self._user, network)
                self.stored = network
            except FirstbootError as error:
                self._say("network: " + error.describe())
                result = "storage"
        if self.attempt is not None and self.attempt.result == wifi.JOINING:
            self.attempt = Attempt(network.ssid, result)
        if self.is_open:
            self._open_for(WIFI_LINGER_S)
        self._say("network: joined")
        self._on_joined()

    def _failed(self, cause: str, now_ms: int) -> None:
        network, self._trying = self._trying, None
        if network is None:
            return
        self._radio.leave()
        if cause in (wifi.FAILED, wifi.NOT_FOUND, wifi.NO_ADDRESS) and self._is_weak(network.ssid):
            cause = wifi.WEAK
        self._say("network: " + cause)
        if network == self.stored:
            self.lost_for = cause
            if self._is_switched_on:
                self._is_switched_on = False
                self.pressed()
        if self.attempt is not None and self.attempt.result == wifi.JOINING:
            self.attempt = Attempt(network.ssid, cause)
            self._is_scan_due = True
        self._wait(now_ms)

    def _wait(self, now_ms: int) -> None:
        """Set when the stored network is tried again (rule 3)."""
        if self.stored is None:
            return
        pause_ms = self._pause_s * 1000
        pause_ms += pause_ms * self._random_byte() // 1024
        self._again_ms = now_ms + pause_ms
        self._pause_s = min(2 * self._pause_s, WIFI_PAUSE_CAP_S)

    def _is_weak(self, ssid: bytes) -> bool:
        return any([one.ssid == ssid and one.signal_dbm < wifi.WEAK_DBM for one in self.networks])

    def _is_trying_choice(self) -> bool:
        return self.attempt is not None and self.attempt.result == wifi.JOINING

    # the access point ----------------------------------------------------------------------------------------
    def _should_be_open(self, now_ms: int) -> bool:
        if not self._passphrase:
            return False
        if self.stored is None or self._is_trying_choice():
            return self.stored is None or self.is_open
        until_ms = self._open_until_ms
        if until_ms is not None and self._passed_ms(now_ms, until_ms) >= 0:
            self._open_until_ms = until_ms = None
        return until_ms is not None

    def _open_for(self, seconds: int) -> None:
        self._open_until_ms = self._clock.ticks_ms() + seconds * 1000

    async def _open(self) -> None:
        if self.is_open:
            return
        address = await self._radio.open_access_point(self.name, self._passphrase)
        self.is_open = True
        self._is_scan_due = True
        self._say("access point: open")
        if self._portal is not None:
            await self._portal.open(self._radio, address)

    async def _close(self) -> None:
        if not self.is_open:
            return
        self.is_open = False
        if self._portal is not None:
            await self._portal.close()
        await self._radio.close_access_point()
        self._say("access point: closed")

    def _passed_ms(self, later_ms: int, earlier_ms: int) -> int:
        passed: int = self._clock.ticks_diff(later_ms, earlier_ms)
        return passed

    def _random_byte(self) -> int:
        try:
            found: int = self._entropy.random_bytes(1)[0]
        except FirstbootError:
            found = 128
        return found

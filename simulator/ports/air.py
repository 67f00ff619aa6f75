"""The air around simulated units: routers with faults, phones, and the access points that units open.

Everything random comes from one seed, and time from the clock of the radio that asks: every run of a test sees the same
air.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from device.net import wifi

LOST_DBM: Final = -92  # a weaker signal is not received


@dataclass(eq=False)
class Router:
    """An access point of someone else. Change its members while a test runs, for example `passphrase` or `is_on`.

    `has_dhcp`: it gives addresses. `is_captive`: it gives an address and lets nothing through to the internet.
    """

    ssid: bytes
    passphrase: bytes = b""
    security: str = wifi.WPA2
    signal_dbm: int = -55
    is_on: bool = True
    is_hidden: bool = False
    has_dhcp: bool = True
    is_captive: bool = False

    @property
    def is_heard(self) -> bool:
        """Return whether the unit receives its signal."""
        return self.is_on and self.signal_dbm > LOST_DBM

    def accepts(self, network: wifi.Network) -> bool:
        """Return whether the passphrase opens it."""
        if self.security == wifi.OPEN:
            return not network.passphrase
        return bool(network.passphrase == self.passphrase)


def router_of(ssid: str, passphrase: str = "", **members: object) -> Router:
    """Return a router with these members; without a passphrase it is open."""
    security = wifi.WPA2 if passphrase else wifi.OPEN
    return Router(ssid.encode(), passphrase.encode(), **{"security": security, **members})  # type: ignore[arg-type]


@dataclass
class Air:
    """All radio of one test. `routers`: in any order. `units`: open access points of units, by name: passphrase.

    `weak_fails`: the share of the joins that fail with a weak signal.
    """

    seed: int = 0
    weak_fails: float = 0.6
    routers: list[Router] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - repeatable, not a secret

    def add(self, ssid: str, passphrase: str = "", **faults: object) -> Router:
        """Add a router and return it; without a passphrase it is open."""
        router = router_of(ssid, passphrase, **faults)
        self.routers.append(router)
        return router

    def scan(self) -> list[wifi.Seen]:
        """Return what a radio receives; hidden routers have no name."""
        return [
            wifi.Seen(b"" if router.is_hidden else router.ssid, router.security, router.signal_dbm)
            for router in self.routers
            if router.is_heard
        ]

    def find(self, network: wifi.Network) -> Router | None:
        """Return the strongest router that may be joined for `network`; None if none is in range."""
        heard = [
            router
            for router in self.routers
            if router.is_heard
            and router.ssid == network.ssid
            and wifi.may_stand_for(router.security, network.security)
        ]
        return max(heard, key=lambda router: router.signal_dbm, default=None)

    def has_weaker(self, network: wifi.Network) -> bool:
        """Return whether a router of that name is in range that may not be joined for `network`."""
        return any(router.is_heard and router.ssid == network.ssid for router in self.routers)

    def phone_joins(self, name: str, passphrase: str) -> bool:
        """Return whether a phone gets into the access point of a unit."""
        return bool(passphrase) and self.units.get(name) == passphrase

"""Faults of an owner's network: one list for every model of a radio, and what the owner then reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from device.net import wifi
from simulator.ports.air import Router, router_of

KEY = "correct horse 7"
WITHOUT_WPA3 = (wifi.OPEN, wifi.WPA2, wifi.WPA2_WPA3)  # what an older radio can join


@dataclass(frozen=True)
class Fault:
    """`members`: of the router; `cause`: the result of the try; `says`, `next_step`: parts of the page's sentence.

    `can_repeat`: the page offers the same choice again with one button.
    """

    name: str
    members: dict[str, Any] = field(hash=False)
    cause: str
    says: str
    next_step: str
    can_repeat: bool = True

    def router(self) -> Router:
        """Return a router with this fault, for which the owner types KEY."""
        return router_of(self.name, **{"passphrase": KEY, **self.members})


_SECURITY = ("its kind of security is", "switch the router to WPA2")
FAULTS = (
    Fault(
        "Other passphrase",
        {"passphrase": "another passphrase"},
        wifi.PASSPHRASE,
        "did not accept this passphrase",
        "Type it again",
        can_repeat=False,
    ),
    Fault("Off", {"is_on": False}, wifi.NOT_FOUND, "does not find this network", "router is switched on"),
    Fault("No addresses", {"has_dhcp": False}, wifi.NO_ADDRESS, "no address", "Restart the router"),
    Fault("Old", {"security": wifi.OLD}, wifi.SECURITY, *_SECURITY, can_repeat=False),
    Fault("Accounts", {"security": wifi.ACCOUNTS}, wifi.SECURITY, *_SECURITY, can_repeat=False),
    Fault("Open twin", {"security": wifi.OPEN}, wifi.SECURITY, *_SECURITY, can_repeat=False),
    Fault("WPA3 only", {"security": wifi.WPA3}, wifi.SECURITY, *_SECURITY, can_repeat=False),
    Fault("Far away", {"signal_dbm": wifi.WEAK_DBM - 5}, wifi.WEAK, "too weak here", "closer to the router"),
)
NAMES = [fault.name for fault in FAULTS]

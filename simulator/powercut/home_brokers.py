"""The brokers of the owner of a campaign's unit, and the choices that the owner makes one after the other."""

from __future__ import annotations

import binascii
from typing import Final

from device.crypto import der
from device.owner import home
from simulator.ports.home_peer import MemoryHomeBroker


def _certificate(filling: int) -> bytes:
    """Return the outer form of a certificate (RFC 5280 4.1): these brokers have no TLS."""
    content = bytes((filling,)) * 300
    parts = der.encode(der.SEQUENCE, content) + der.encode(der.SEQUENCE, b"")
    return der.encode(der.SEQUENCE, parts + der.encode(der.BIT_STRING, b"\x00"))


# Addresses of the emulated board's own network: nothing leaves this machine when the board tries them.
_OLD = home.Broker(True, "10.0.2.6", 8883, "", "lamp", "fish and chips at noon", _certificate(1), False)
_NEW = home.Broker(
    True, "10.0.2.7", 8884, "home.example", "lantern", "porridge on the moor", _certificate(2), True
)
# What is stored after each step; None: nothing. The flow home-link ends with LINKED, home-erase with the last one.
CHOICES: Final = (None, _OLD, _NEW, home.altered(_NEW, is_on=False), _NEW, None)
LINKED: Final = 4
ERASED: Final = 5
PASSWORDS: Final = (_OLD.password, _NEW.password)


def form_of(step: int) -> dict[str, str]:
    """Return the form that leads to CHOICES[step] from the choice before."""
    wanted = CHOICES[step]
    if wanted is None:
        return {"action": "forget"}
    if step > 2:
        return {"action": "on" if wanted.is_on else "off"}
    return {
        "action": "save",
        "address": wanted.address,
        "port": str(wanted.port),
        "name": wanted.name,
        "user": wanted.user,
        "password": wanted.password,
        "authority": _pem(wanted.authority),
        "install": "yes" if wanted.may_install else "",
    }


def _pem(certificate: bytes) -> str:
    body = binascii.b2a_base64(certificate).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


def brokers(leaked: list[str]) -> dict[str, MemoryHomeBroker]:
    """Return the brokers by address. `leaked` gets a line for each login that a broker must not learn."""

    def broker(choice: home.Broker) -> MemoryHomeBroker:
        def note(login: tuple[str, str]) -> None:
            leaked.append(f"the broker {choice.address} learns the login of another one: {login[0]}")

        return MemoryHomeBroker(choice.user, choice.password, note)

    return {choice.address: broker(choice) for choice in (_OLD, _NEW)}

"""The radio (interfaces.Wifi)."""

import asyncio

from device.boards.checklist.expect import AbsentError, expect, refused
from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_PASSPHRASE = "firstboot-check"


def _radio(port: "Any") -> "Any":
    radio = port.wifi()
    if radio is None:
        raise AbsentError("no radio: the unit's network is a cable, and nobody chooses it on a page")
    return radio


def the_kinds_of_security_are_known_ones(port: "Any", bench: "Any") -> None:
    radio = _radio(port)
    from device.net import wifi  # only in the firmware of a board with a radio

    expect(len(radio.securities) > 0, "securities is empty: no network can be joined")
    for kind in radio.securities:
        expect(kind in wifi.JOINABLE, "a kind of security is " + repr(kind))


def a_scan_lists_names_kinds_and_signals(port: "Any", bench: "Any") -> None:
    for ssid, security, signal_dbm in asyncio.run(_radio(port).scan()):
        expect(isinstance(ssid, bytes) and len(ssid) <= 32, "a name is " + repr(ssid))
        expect(isinstance(security, str), "a kind of security is " + repr(security))
        expect(-120 <= signal_dbm <= 0, "a signal is {} dBm".format(signal_dbm))


def without_a_network_there_is_no_link(port: "Any", bench: "Any") -> None:
    radio = _radio(port)
    from device.net import wifi

    radio.leave()
    expect(radio.state() != wifi.JOINED, "state() is JOINED after leave()")
    expect(radio.signal_dbm() is None, "signal_dbm() is not None without a link")


async def _access_point(radio: "Any") -> str:
    address: str = await radio.open_access_point("firstboot-check", _PASSPHRASE)
    await radio.close_access_point()
    await radio.close_access_point()
    return address


def the_access_point_has_an_address_and_closes(port: "Any", bench: "Any") -> None:
    address = asyncio.run(_access_point(_radio(port)))
    expect(len(address.split(".")) == 4, "the access point's address is " + repr(address))


def an_access_point_without_a_passphrase_is_refused(port: "Any", bench: "Any") -> None:
    radio = _radio(port)

    def open_one() -> None:
        asyncio.run(radio.open_access_point("firstboot-check", ""))

    refused(ValueError, "an open access point", open_one)

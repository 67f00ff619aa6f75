"""The network with TLS (interfaces.Network). The checks with a server need a host that the board reaches."""

import asyncio

from device.boards.checklist.expect import expect, refused
from device.compat import const
from device.errors import LinkError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_LINE = b"firstboot\n"


async def _echo(network: "Any", bench: "Any", name: str, authority: str) -> bytes:
    stream = await network.open_tls(
        bench["host"], bench["port"], name, bench[authority], bench["cert"], bench["key"]
    )
    try:
        await stream.write(_LINE)
        data: bytes = await stream.readexactly(len(_LINE))
    finally:
        await stream.close()
    return data


def _open(port: "Any", bench: "Any", name: str, authority: str) -> bytes:
    data: bytes = asyncio.run(_echo(port.network(), bench, name, authority))
    return data


def the_boards_own_addresses_are_known(port: "Any", bench: "Any") -> None:
    found = list(port.network().addresses())
    expect(len(found) > 0, "addresses() is empty: pages are served for no address")
    for address in found:
        expect(isinstance(address, str) and address not in ("", "0.0.0.0"), "an address is " + repr(address))  # noqa: S104


def a_server_with_the_right_certificate_is_reached(port: "Any", bench: "Any") -> None:
    port.clock().set_trusted_time(None)
    data = _open(port, bench, bench["name"], "ca")
    expect(data == _LINE.upper(), "the server's answer arrives changed: " + repr(data))


def a_server_of_another_authority_is_refused(port: "Any", bench: "Any") -> None:
    refused(LinkError, "a certificate of another authority", _open, port, bench, bench["name"], "other_ca")


def a_server_with_another_name_is_refused(port: "Any", bench: "Any") -> None:
    refused(LinkError, "a certificate for another name", _open, port, bench, "other.invalid", "ca")


def dates_are_checked_as_soon_as_there_is_a_trusted_time(port: "Any", bench: "Any") -> None:
    clock = port.clock()
    try:
        clock.set_trusted_time(bench["too_late_s"])
        refused(LinkError, "a certificate that has ended", _open, port, bench, bench["name"], "ca")
    finally:
        clock.set_trusted_time(None)
    _open(port, bench, bench["name"], "ca")  # without a trusted time no date is checked


def a_server_that_does_not_exist_is_a_link_error(port: "Any", bench: "Any") -> None:
    nobody = dict(bench)
    nobody["port"] = bench["closed_port"]
    refused(LinkError, "a port without a server", _open, port, nobody, bench["name"], "ca")


NEEDS = {
    "a_server_with_the_right_certificate_is_reached": "host",
    "a_server_of_another_authority_is_refused": "host",
    "a_server_with_another_name_is_refused": "host",
    "dates_are_checked_as_soon_as_there_is_a_trusted_time": "host",
    "a_server_that_does_not_exist_is_a_link_error": "host",
}

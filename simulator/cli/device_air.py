"""`firstboot device run --air`: networks around units with a radio, to try the way onto Wi-Fi by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import typer

from device.net import wifi
from simulator.ports.air import Air, Router

if TYPE_CHECKING:
    from simulator.story.running import RunningUnit

HOME: Final = "Home"
KEYS: Final = ("correct horse 7", "battery staple 8")  # of the router "Home": at first, and after a change
CHANGE: Final = "router"  # what a person types


def make_air() -> Air:
    """Return networks with every fault that the pages explain."""
    air = Air()
    air.add(HOME, KEYS[0])
    air.add("Hotel", is_captive=True)
    air.add("No addresses", "no dhcp here", has_dhcp=False)
    air.add("Far away", "behind the hill", signal_dbm=wifi.WEAK_DBM - 5)
    air.add("Old", "old router 1", security=wifi.OLD)
    air.add("Company", "with accounts", security=wifi.ACCOUNTS)
    air.add("Hidden", "not in the list", is_hidden=True)
    return air


def home_of(air: Air) -> Router:
    """Return the router whose passphrase can be changed."""
    return next(router for router in air.routers if router.ssid == HOME.encode())


def change_passphrase(air: Air) -> str:
    """Change the passphrase of "Home" to the other one and return it."""
    home = home_of(air)
    new = KEYS[home.passphrase == KEYS[0].encode()]
    home.passphrase = new.encode()
    return new


def print_networks(air: Air) -> None:
    """Print the networks that the units receive."""
    typer.echo("  Wi-Fi networks around the units (a model: no radio is used):")
    for router in air.routers:
        faults = ["captive"] * router.is_captive + ["no addresses"] * (not router.has_dhcp)
        faults += ["weak signal"] * (router.signal_dbm < wifi.WEAK_DBM)
        faults += ["hidden"] * router.is_hidden
        key = router.passphrase.decode() or "(open)"
        typer.echo(f"    {router.ssid.decode():<13} {key:<17} {', '.join([router.security, *faults])}")
    typer.echo("")


@contextmanager
def improv_ports(units: list[RunningUnit]) -> Iterator[dict[str, str]]:
    """Open a port on loopback to each unit's line for Improv Wi-Fi, and yield its address by the serial number."""
    from simulator.story.line_port import LinePort

    with ExitStack() as stack:
        yield {
            unit.known.serial: stack.enter_context(LinePort(unit.machine.improv_line)).address
            for unit in units
        }


def print_access_point(unit: RunningUnit, line: str) -> None:
    """Print the unit's own network, as the label shows it, where a phone inside it is led, and its serial line.

    An emulated board's plain page is at the board's own address, to which this computer has no way.
    """
    typer.echo(f"  its Wi-Fi    {unit.label['network']}   passphrase {unit.label['network_passphrase']}")
    if not hasattr(unit.machine, "radio_model"):
        typer.echo(f"  plain page   {unit.plain_url}   (a phone that joins its Wi-Fi shows it by itself;")
        typer.echo(
            "               its link works on such a phone only: on this computer use the address above)"
        )
    typer.echo(f"  serial line  firstboot wifi --serial {line} --label {unit.label['picture']}\n")

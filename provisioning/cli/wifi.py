"""`firstboot wifi`: bring a device onto a Wi-Fi network over a serial line, with the set-up code on its label."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioning import fair_time
from provisioning.cli.errors import InputError
from provisioning.cli.onboard import Asker, normal_code
from provisioning.cli.options import JsonOption, LabelPictureOption
from provisioning.cli.output import print_report
from provisioning.onboarding.improv import Client, Facts, JoinError, Network, SerialChannel
from provisioning.station.labels import read_label
from provisioning.station.ports import AddressPort, PortStream

TRIES: Final = 3  # of a person who types a passphrase
SCAN_S: Final = 20  # until a device that was asked lists the first network
_LOOK_S: Final = 1.0

SerialOption = Annotated[
    str,
    typer.Option(
        "--serial",
        metavar="PORT",
        help="The device's line for Improv Wi-Fi: serial:DEVICE[@RATE], tcp:HOST:PORT or unix:PATH.",
    ),
]


def wifi(
    serial: SerialOption,
    label: LabelPictureOption = None,
    network: Annotated[
        str | None, typer.Option(metavar="NAME", help="The network to join. Default: it is asked for.")
    ] = None,
    is_list: Annotated[
        bool, typer.Option("--list", help="Show the networks that the device receives, and join none.")
    ] = False,
    is_json: JsonOption = False,
) -> None:
    """Bring a device in factory default onto a Wi-Fi network, over a serial line (Improv Wi-Fi).

    The device answers the holder of the set-up code only. Code and passphrase are never taken from the command line.
    They are asked for. If standard input is not a terminal, they are read from it, one line each: code (unless the
    label has it), network (unless given), passphrase (an empty line for an open network).

    Next, set the device up: `firstboot onboard`. Exit code 4: the device has an owner already.

    Example: `firstboot wifi --serial serial:/dev/ttyUSB0 --label label.png`
    """
    ask = Asker(sys.stdin)
    code = _code_of(label, ask)
    with contextlib.closing(_opened(serial)) as line:
        client = Client(SerialChannel(line))
        client.authorise(code)
        facts = client.facts()
        found = _networks(client)
        if is_list:
            _report_list(facts, found, is_json)
            return
        _join(client, facts, found, network, ask, is_json)


def _opened(address: str) -> PortStream:
    try:
        return AddressPort(address).open()
    except ValueError as error:
        raise InputError(str(error)) from None


def _code_of(label: Path | None, ask: Asker) -> str:
    if label is None:
        return normal_code(ask.line("Set-up code on the label", is_secret=True))
    try:
        return normal_code(read_label(label).code)
    except OSError:
        raise InputError(f"{label} is not a readable picture.") from None


def _networks(client: Client) -> list[Network]:
    """Return the networks, strongest first, after the time that the device needs to look."""
    end_s = fair_time.now() + SCAN_S
    while not (found := client.networks()) and fair_time.now() < end_s:
        time.sleep(_LOOK_S)
    return sorted(found, key=lambda one: -one.signal_dbm)


def _join(
    client: Client, facts: Facts, found: list[Network], name: str | None, ask: Asker, is_json: bool
) -> None:
    if name is None:
        for line in _lines(found):
            typer.echo(line, err=True)
        name = ask.line("Network", is_secret=False)
    ssid = name.encode("utf-8", "surrogateescape")
    if not 1 <= len(ssid) <= 32:
        raise InputError("The name of a network has 1 to 32 bytes.")
    is_open = any(one.ssid == ssid and one.is_open for one in found)
    address = _tried(client, ssid, is_open, ask)
    lines = [f"{facts.name} is on the network {_shown(ssid)}.", f"Set it up at {address}setup"]
    document = {"device": facts._asdict(), "network": _shown(ssid), "address": address}
    print_report(lines, document, is_json)


def _tried(client: Client, ssid: bytes, is_open: bool, ask: Asker) -> str:
    """Return the device's address on the network. A person may type the passphrase TRIES times. Raises JoinError."""
    for left in range(TRIES - 1, -1, -1):
        is_asked = not is_open or not ask.is_person
        passphrase = ask.line("Passphrase of the network", is_secret=True) if is_asked else ""
        secret = passphrase.encode("utf-8", "surrogateescape")
        if len(secret) > 64:
            raise InputError("A passphrase has at most 64 bytes.")
        try:
            return client.join(ssid, secret)
        except JoinError as error:
            if not ask.is_person or not is_asked or not left:
                raise
            typer.echo(str(error), err=True)
    raise AssertionError  # the last try raises


def _report_list(facts: Facts, found: list[Network], is_json: bool) -> None:
    document: dict[str, Any] = {
        "device": facts._asdict(),
        "networks": [
            {"name": _shown(one.ssid), "signal_dbm": one.signal_dbm, "is_open": one.is_open} for one in found
        ],
    }
    print_report([f"{facts.name}  {facts.firmware} {facts.version}", *_lines(found)], document, is_json)


def _lines(found: list[Network]) -> list[str]:
    return [f"  {_shown(one.ssid):<33}{one.signal_dbm} dBm{'  open' if one.is_open else ''}" for one in found]


def _shown(ssid: bytes) -> str:
    """Return a name as text without control characters: anyone in range chooses names."""
    text = ssid.decode("utf-8", "replace")
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)

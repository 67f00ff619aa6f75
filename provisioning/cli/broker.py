"""`firstboot broker`: check that any MQTT broker keeps what units, publisher and tracker need of it."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.addresses import parse_address
from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_json, print_line
from provisioning.cli.settings import with_settings
from provisioning.product.product import load_product

HELP = """Check a broker of your own or of a service, before your units depend on it.

Example: `firstboot broker check broker.example.com:8883 --product product.toml --ca server-ca.crt --users check`
"""
_WORDS = {True: "ok", False: "FAILED", None: "-"}

app = CommandGroup(HELP)


@app.callback()
def group() -> None:
    """Keep `check` a subcommand."""


@dataclass(frozen=True, kw_only=True)
class BrokerCheckSettings:
    """The options of `broker check`: the broker, who connects, and what else is tried."""

    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="The broker.")]
    product: Annotated[
        Path, typer.Option("--product", metavar="FILE", help="A product definition: the class of the units.")
    ]
    ca: Annotated[
        Path, typer.Option("--ca", metavar="FILE", help="Authority of the broker's certificate (PEM).")
    ]
    users: Annotated[
        Path,
        typer.Option(
            "--users",
            metavar="DIR",
            help="Folder with NAME.crt and NAME.key of a publisher, a tracker and two units, from `firstboot keys ca"
            " issue client NAME`. The name of a unit is its device id, 32 hex digits.",
        ),
    ]
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name in the broker's certificate. Default: HOST."),
    ] = None
    node: Annotated[
        list[str] | None,
        typer.Option(
            "--node",
            metavar="HOST:PORT",
            help="Another node of a cluster: it must give the same objects. May be repeated.",
        ),
    ] = None
    restart: Annotated[
        str | None,
        typer.Option(
            "--restart",
            metavar="COMMAND",
            help="A command that kills the broker and starts it again. What it acknowledged must be there afterwards.",
        ),
    ] = None
    is_json: JsonOption = False


def _restart(command: str | None) -> Callable[[], None] | None:
    """Return what runs the command; it raises OSError if the command fails. Raises InputError."""
    if command is None:
        return None
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"--restart: {error}") from None

    def run() -> None:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise OSError(f"the restart command ended with {done.returncode}")

    return run


@app.command("check")
@with_settings(BrokerCheckSettings, "broker.check")
def check(settings: BrokerCheckSettings) -> None:
    """Check a broker over its own port, as the maker's users and as units. Exit code 1 if one check fails.

    The check writes only objects of random bytes and removes them. Use certificates of units that exist for the check.

    Example: `firstboot broker check broker.example.com:8883 --product product.toml --ca server-ca.crt --users check`
    """
    from provisioning.publishing.broker_bench import Bench, Users
    from provisioning.publishing.broker_check import BrokerCheck, Finding
    from provisioning.servers.mqtt_client import MqttAccess

    host, port = parse_address(settings.address)
    try:
        users = Users.of_folder(settings.users)
    except ValueError:
        raise InputError(f"{settings.users} has a .crt file that is not a certificate (PEM).") from None
    server = MqttAccess(host, port, settings.ca, Path(), Path(), settings.name)
    nodes = [parse_address(text) for text in settings.node or ()]
    bench = Bench(server, load_product(settings.product).class_id, users)
    found: list[Finding] = []
    for one in BrokerCheck(bench, nodes, _restart(settings.restart)).run():
        found.append(one)
        if not settings.is_json:
            print_line(f"{_WORDS[one.is_met]:6}  {one.name}: {one.text}")
    failed = [one.name for one in found if one.is_met is False]
    if settings.is_json:
        print_json({"is_met": not failed, "findings": [asdict(one) for one in found]})
    else:
        left_out = sum(one.is_met is None for one in found)
        print_line(
            f"{len(found) - len(failed) - left_out} passed, {len(failed)} failed, {left_out} not checked"
        )
    if failed:
        raise typer.Exit(int(ExitCode.FAILED))

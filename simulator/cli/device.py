"""`firstboot device`: run units on this machine, ready for a browser or bare for a station."""

from __future__ import annotations

import select
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.options import FirmwareOption
from provisioning.cli.output import print_json_line
from provisioning.cli.settings import with_settings
from provisioning.firmware.emulated import DEFAULT
from simulator.cli.device_air import (
    CHANGE,
    HOME,
    change_passphrase,
    improv_ports,
    make_air,
    print_access_point,
    print_networks,
)
from simulator.cli.device_bare import MOST, bare
from simulator.cli.options import (
    BoardOption,
    On,
    OnOption,
    choose_device_code,
    chosen_board,
    end_by_signal,
)
from simulator.story.errors import WorldError
from simulator.story.inputs import Inputs

if TYPE_CHECKING:
    from simulator.ports.air import Air
    from simulator.story.running import RunningUnit

LOOK_S: Final = 0.3  # how often the unit is checked

app = CommandGroup(
    help="""Run units on this machine: the firmware on emulated boards, or the same device code on CPython.

Example: `firstboot device run --on sim`
"""
)
app.command()(bare)


@dataclass(frozen=True, kw_only=True)
class DeviceSettings:
    """The options of `device run`: the emulator, the number of units, and what a maker gives them."""

    on: OnOption = On.sim
    board: BoardOption = None
    is_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print every address, port, key file and label as one line of JSON, then run on."
        ),
    ] = False
    after_support: Annotated[
        bool,
        typer.Option(
            "--after-support", help="Let the update servers report a time after the support period."
        ),
    ] = False
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep logs, label and flash in this empty folder."),
    ] = None
    units: Annotated[
        int, typer.Option("--units", min=1, max=MOST, help="How many units. They share the servers.")
    ] = 1
    product: Annotated[
        Path | None,
        typer.Option(
            "--product",
            metavar="FILE",
            help="Product definition (TOML). Its servers are replaced by those of the run. The folder `brand` beside"
            " it gives the pages their look.",
        ),
    ] = None
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys", metavar="DIR", help="Development keys. They are generated if the folder does not exist."
        ),
    ] = None
    image: Annotated[
        Path | None,
        typer.Option(
            "--image",
            metavar="FILE",
            help="Signed boot image that the units run, signed with a key of the key folder.",
        ),
    ] = None
    app: Annotated[
        Path | None,
        typer.Option(
            "--app", metavar="DIR", help="Application: published as release 2, installed after set-up."
        ),
    ] = None
    air: Annotated[
        bool,
        typer.Option(
            "--air",
            help="Give the units a model of a radio, with Wi-Fi networks around them (with sim and qemu).",
        ),
    ] = False
    firmware: FirmwareOption = None


@app.command()
@with_settings(DeviceSettings, "device.run")
def run(settings: DeviceSettings) -> None:
    """Start units as they come from the factory and run them until Ctrl-C.

    The unit is provisioned with development keys: NOT FOR SALE. The command prints the unit's address and its label,
    which shows the set-up code. Update servers run too, on loopback. Press Enter to press the unit's button.

    Ctrl-C or SIGTERM ends it with exit code 0. If the unit cannot start or stops, the logs are kept.

    With `--air` the units come onto a Wi-Fi network first: they open an access point, and their page lists networks.
    Type `router` and Enter to change the passphrase of the network "Home".

    `--json` prints one line when the units answer; the command then runs on. The line contains the set-up codes.

    Example: `firstboot device run --on sim --units 3 --json`
    """
    keep = settings.keep
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise InputError(f"{keep} is not empty. Name a new folder.")
    if settings.air and (
        settings.on is On.renode or chosen_board(settings.on, settings.board) is not DEFAULT
    ):
        raise InputError(
            "There is no model of a radio for this board. Use --air with --on sim, or with --on qemu and no --board."
        )
    choose_device_code(settings.firmware)
    directory = keep if keep is not None else Path(tempfile.mkdtemp(prefix="firstboot-device-"))
    end_by_signal()
    is_kept = keep is not None
    try:
        _serve(settings, directory)
    except KeyboardInterrupt:
        typer.echo("device: ended", err=True)
    except (WorldError, OSError) as error:
        is_kept = True
        raise WorldError(f"{error}; the logs are in {directory}") from None
    finally:
        if not is_kept:
            shutil.rmtree(directory, ignore_errors=True)


def _serve(settings: DeviceSettings, directory: Path) -> None:
    """Run the units until Ctrl-C (KeyboardInterrupt). Raises WorldError if one cannot start or stops."""
    from simulator.story.running import all_units, running_unit

    air = make_air() if settings.air else None
    inputs = Inputs(
        product=settings.product,
        app=settings.app,
        image=settings.image,
        keys=settings.keys,
        board=chosen_board(settings.on, settings.board),
        air=air,
    )
    with running_unit(
        settings.on.value, directory, _note, is_past_support=settings.after_support, inputs=inputs
    ) as world:
        units = all_units(world, settings.units)
        if inputs.app is not None:
            for transport in world.transports:
                world.publish(2, transport)
        world.servers.publisher.stop()  # the reader publishes under the same name (docs/tutorial.md)
        with improv_ports(units if air is not None else []) as lines:
            if settings.is_json:
                from simulator.story.facts import facts_of

                print_json_line(facts_of(world, units, lines))
            else:
                _print_units(units, air, lines)
            _print_end(air)
            _watch([unit.machine for unit in units], air)
    raise WorldError("the unit stopped")


def _print_units(units: list[RunningUnit], air: Air | None, lines: dict[str, str]) -> None:
    for unit in units:
        _print_unit(unit)
        if air is not None:
            print_access_point(unit, lines[unit.known.serial])
    if air is not None:
        print_networks(air)


def _note(text: str) -> None:
    if text.startswith("phase "):
        return  # the station's own twenty steps, which take a second
    typer.echo(f"device: {text}", err=True)


def _print_unit(unit: RunningUnit) -> None:
    """Print the address and the label of a unit."""
    label = unit.label
    typer.echo(f"\n  {label['brand']} {label['model']}   {label['note']}")
    typer.echo(f"  serial       {label['serial']}")
    typer.echo(f"  set-up code  {label['setup_code']}")
    typer.echo(f"  certificate  {label['certificate_sha256']}")
    typer.echo(f"  label        {label['picture']}")
    typer.echo(f"\n  open         {unit.setup_url}")
    typer.echo(f"  or           firstboot onboard --label {label['picture']} --host {unit.address[8:-1]}\n")


def _print_end(air: Air | None) -> None:
    """Print how to end the command, and what a person can type meanwhile."""
    sys.stdout.flush()  # a program that reads this through a pipe waits for it
    hint = ""
    if sys.stdin.isatty():
        hint = "press Enter to press its button, "
        if air is not None:
            hint += f'type {CHANGE} and Enter to change the passphrase of "{HOME}", '
    _note(f"running; {hint}Ctrl-C ends it")


def _watch(machines: list[Any], air: Air | None) -> None:
    """Press the first unit's button at each Enter, until a unit stops. Ctrl-C raises KeyboardInterrupt.

    A line "router" changes a passphrase in the air instead.
    """
    is_person = sys.stdin.isatty()
    while all(machine.is_powered for machine in machines):
        if is_person and select.select([sys.stdin], [], [], LOOK_S)[0]:
            line = sys.stdin.readline()
            if air is not None and line.strip() == CHANGE:
                _note(f'the passphrase of "{HOME}" is now: {change_passphrase(air)}')
            elif line:
                machines[0].press_button()
                _note("button pressed")
            else:
                is_person = False  # the terminal is closed; the unit continues
        elif not is_person:
            time.sleep(LOOK_S)

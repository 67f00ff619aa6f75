"""`firstboot device`: run units on this machine, ready for a browser or bare for a station."""

from __future__ import annotations

import json
import select
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from simulator.cli.device_bare import bare
from simulator.cli.options import On, OnOption, end_by_signal
from simulator.story.errors import WorldError

LOOK_S: Final = 0.3  # how often the unit is checked

app = CommandGroup(
    help="""Run units on this machine: the firmware on emulated boards, or the same device code on CPython.

Example: `firstboot device run --on sim`
"""
)
app.command()(bare)


@app.command()
def run(
    on: OnOption = On.sim,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print address and label as one JSON document.")
    ] = False,
    after_support: Annotated[
        bool,
        typer.Option(
            "--after-support", help="Let the update servers report a time after the support period."
        ),
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep logs, label and flash in this empty folder.")
    ] = None,
) -> None:
    """Start one unit as it comes from the factory and run it until Ctrl-C.

    The unit is provisioned with development keys: NOT FOR SALE. The command prints the unit's address and its label,
    which shows the set-up code. Update servers run too, on loopback. Press Enter to press the unit's button.

    Ctrl-C or SIGTERM ends it with exit code 0. If the unit cannot start or stops, the logs are kept.

    Example: `firstboot device run --on sim`
    """
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise InputError(f"{keep} is not empty. Name a new folder.")
    directory = keep if keep is not None else Path(tempfile.mkdtemp(prefix="firstboot-device-"))
    end_by_signal()
    is_kept = keep is not None
    try:
        _serve(on.value, directory, as_json, after_support)
    except KeyboardInterrupt:
        typer.echo("device: ended", err=True)
    except (WorldError, OSError) as error:
        is_kept = True
        raise WorldError(f"{error}; the logs are in {directory}") from None
    finally:
        if not is_kept:
            shutil.rmtree(directory, ignore_errors=True)


def _serve(on: str, directory: Path, as_json: bool, is_past_support: bool) -> None:
    """Run the unit until Ctrl-C (KeyboardInterrupt). Raises WorldError if it cannot start or stops."""
    from simulator.story.running import running_unit

    with running_unit(on, directory, _note, is_past_support=is_past_support) as world:
        world.servers.publisher.stop()  # the reader publishes under the same name (docs/tutorial.md)
        _print_unit(world, on, as_json)
        _watch(world)
    raise WorldError("the unit stopped")


def _note(text: str) -> None:
    if text.startswith("phase "):
        return  # the station's own twenty steps, which take a second
    typer.echo(f"device: {text}", err=True)


def _print_unit(world: Any, on: str, as_json: bool) -> None:
    """Print the address and the label of the unit, and how to end the command."""
    from simulator.story.running import address_of, label_of

    label, address = label_of(world), address_of(world)
    # The fragment stays in the browser: the page's script reads it, and no request carries it.
    start = f"{address}setup#code={label['setup_code']}"
    if as_json:
        typer.echo(json.dumps({"on": on, "address": address, "setup_url": start, "label": label}))
    else:
        typer.echo(f"\n  {label['brand']} {label['model']}   {label['note']}")
        typer.echo(f"  serial       {label['serial']}")
        typer.echo(f"  set-up code  {label['setup_code']}")
        typer.echo(f"  certificate  {label['certificate_sha256']}")
        typer.echo(f"  label        {label['picture']}")
        typer.echo(f"\n  open         {start}")
        typer.echo(f"  or           firstboot onboard --label {label['picture']} --host {address[8:-1]}\n")
    sys.stdout.flush()  # a program that reads this through a pipe waits for it
    hint = "press Enter to press its button, " if sys.stdin.isatty() else ""
    _note(f"running; {hint}Ctrl-C ends it")


def _watch(world: Any) -> None:
    """Press the button at each Enter, until the unit stops or Ctrl-C ends the command (KeyboardInterrupt)."""
    is_person = sys.stdin.isatty()
    while world.machine.is_powered:
        if is_person and select.select([sys.stdin], [], [], LOOK_S)[0]:
            if sys.stdin.readline():
                world.machine.press_button()
                _note("button pressed")
            else:
                is_person = False  # the terminal is closed; the unit continues
        elif not is_person:
            time.sleep(LOOK_S)

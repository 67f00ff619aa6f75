"""`firstboot device`: one unit on this machine, for anyone with a browser."""

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
from simulator.cli.device_bare import bare
from simulator.cli.options import On, end_by_signal

LOOK_S: Final = 0.3  # how often it is checked whether the unit still lives

app = CommandGroup(
    help="Units on this machine: simulated, or the firmware on emulated boards; set up, or bare for a station."
)
app.command()(bare)


@app.command()
def run(
    on: Annotated[
        On, typer.Option(help="qemu, renode: the real firmware; sim: the same device code on CPython.")
    ] = On.sim,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print address and label as one JSON document.")
    ] = False,
    after_support: Annotated[
        bool, typer.Option("--after-support", help="Its servers say that the support period is over.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep logs, label and flash here; an empty folder.")
    ] = None,
) -> None:
    """Start one unit as it comes from the factory and run it until Ctrl-C.

    It is provisioned with development keys of this checkout: NOT FOR SALE. Its address and its label are printed; the
    set-up code is part of the label. Update servers run beside it, on loopback. On a terminal, Enter presses the
    unit's button.

    Exit codes: 0 ended by Ctrl-C or SIGTERM; 1 it could not start, or died (the logs are kept); 2 wrong command line.
    """
    from simulator.story.running import running_unit
    from simulator.story.world import WorldError

    if keep is not None and keep.exists() and any(keep.iterdir()):
        typer.echo(f"device: {keep} is not empty", err=True)
        raise typer.Exit(2)
    directory = keep if keep is not None else Path(tempfile.mkdtemp(prefix="firstboot-device-"))
    end_by_signal()
    is_kept = keep is not None
    try:
        with running_unit(on.value, directory, _note, is_past_support=after_support) as world:
            world.publisher.stop()  # the reader publishes under the same name (docs/tutorial.md)
            _tell(world, on.value, as_json)
            reason = _watch(world)
        if reason:
            raise WorldError(reason)
    except KeyboardInterrupt:
        typer.echo("device: ended", err=True)
    except (WorldError, OSError) as error:
        is_kept = True
        typer.echo(f"device: {error}; logs are kept in {directory}", err=True)
        raise typer.Exit(1) from None
    finally:
        if not is_kept:
            shutil.rmtree(directory, ignore_errors=True)


def _note(text: str) -> None:
    if text.startswith("phase "):
        return  # the station's own twenty steps, done in a second
    typer.echo(f"device: {text}", err=True)


def _tell(world: Any, on: str, as_json: bool) -> None:
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
    sys.stdout.flush()  # who reads this through a pipe waits for it
    hint = "Enter presses its button, " if sys.stdin.isatty() else ""
    _note(f"runs; {hint}Ctrl-C ends it")


def _watch(world: Any) -> str:
    """Serve the terminal until Ctrl-C (KeyboardInterrupt); why the unit died, where it did."""
    is_person = sys.stdin.isatty()
    while world.machine.is_powered:
        if is_person and select.select([sys.stdin], [], [], LOOK_S)[0]:
            if sys.stdin.readline():
                world.machine.press_button()
                _note("button pressed")
            else:
                is_person = False  # the terminal is gone, the unit goes on
        elif not is_person:
            time.sleep(LOOK_S)
    return "the unit died"

"""`firstboot demo`: the whole story on emulated or simulated hardware."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.options import On
from simulator.story.runner import FAILED, PASSED, report, run_story, write_report


class Transport(StrEnum):
    """What carries updates."""

    mqtt = "mqtt"
    coap = "coap"
    both = "both"


def demo(
    on: Annotated[
        On, typer.Option(help="qemu, renode: the real firmware; sim: the same device code on CPython.")
    ] = On.sim,
    transport: Annotated[Transport, typer.Option(help="What carries the updates.")] = Transport.both,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the result here; - for standard output."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep logs, label, registry and flash image here.")
    ] = None,
) -> None:
    """Show the whole story: a board comes off the line, is provisioned, set up by its owner, and updated.

    Fourteen steps, each with what was seen. Exit code 0 when every step passed, 1 when one failed (it says what
    was expected and what was seen, and keeps the logs), 2 for a wrong command line.
    """
    from simulator.story.screen import PlainScreen, RichScreen
    from simulator.story.steps import STEPS
    from simulator.story.world import World, WorldError

    transports = ("mqtt", "coap") if transport is Transport.both else (transport.value,)
    directory = _run_folder(keep) if keep else Path(tempfile.mkdtemp(prefix="firstboot-demo-"))
    is_json_on_stdout = str(json_file) == "-"
    screen = RichScreen(on.value) if sys.stderr.isatty() else PlainScreen(on.value)
    try:
        with World(on.value, transports, directory, screen.note) as world:
            results = run_story(world, STEPS, set(transports), screen)
            screen.facts(world.facts())
    except WorldError as error:
        typer.echo(f"demo: {error}", err=True)
        raise typer.Exit(1) from None
    found = report(on.value, results)
    found["facts"] = world.facts()
    if is_json_on_stdout:
        typer.echo(json.dumps(found, indent=2))
    elif json_file is not None:
        write_report(json_file, found)
    screen.finish(found["result"] == PASSED, sum(result.seconds for result in results))
    if found["result"] == FAILED:
        typer.echo(f"demo: logs are kept in {directory}", err=True)
        raise typer.Exit(1)
    if keep is None:
        shutil.rmtree(directory, ignore_errors=True)


def _run_folder(keep: Path) -> Path:
    """`keep` itself where it is empty, else the next free numbered folder in it: runs never mix."""
    if not keep.exists() or not any(keep.iterdir()):
        return keep
    number = 2
    while (keep / f"run-{number}").exists():
        number += 1
    return keep / f"run-{number}"

"""`firstboot demo`: show the whole life of a device on emulated or simulated hardware."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.options import FirmwareOption
from provisioning.firmware.emulated import EmulatedBoard
from simulator.cli.options import BoardOption, On, OnOption, choose_device_code, chosen_board
from simulator.story.runner import FAILED, PASSED, report, run_story, write_report


class Transport(StrEnum):
    """The protocol that carries updates."""

    mqtt = "mqtt"
    coap = "coap"
    both = "both"


def demo(
    on: OnOption = On.sim,
    board: BoardOption = None,
    firmware: FirmwareOption = None,
    transport: Annotated[Transport, typer.Option(help="Protocol of the updates.")] = Transport.both,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the result as JSON to this file. `-` is standard output."
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Write the result as JUnit XML, which CI systems show."),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            "--summary", metavar="FILE", help="Append the steps to this Markdown file ($GITHUB_STEP_SUMMARY)."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep logs, label, registry and flash image in this folder."),
    ] = None,
) -> None:
    """Show the whole life of a device: it is provisioned, set up by its owner, updated, and reset.

    Each of the fourteen steps prints what was observed. If a step fails, the command prints what was expected and which
    requirements were not shown, keeps the logs and ends with exit code 1.

    Example: `firstboot demo --on qemu --board mps2-an505`
    """
    kind = chosen_board(on, board)
    choose_device_code(firmware)
    directory = _run_folder(keep) if keep else Path(tempfile.mkdtemp(prefix="firstboot-demo-"))
    found = _run(on, transport, directory, kind)
    _write(found, json_file, junit, summary)
    if found["result"] == FAILED:
        typer.echo(f"demo: the logs are in {directory}", err=True)
        raise typer.Exit(int(ExitCode.FAILED))
    if keep is None:
        shutil.rmtree(directory, ignore_errors=True)


def _run(on: On, transport: Transport, directory: Path, board: EmulatedBoard) -> dict[str, Any]:
    """Run the story in `directory`. Return its report (simulator.story.runner.report) with the facts of the run."""
    from simulator.story.inputs import Inputs
    from simulator.story.screen import PlainScreen, RichScreen
    from simulator.story.steps import STEPS
    from simulator.story.world import World

    transports = ("mqtt", "coap") if transport is Transport.both else (transport.value,)
    screen = RichScreen(on.value, board) if sys.stderr.isatty() else PlainScreen(on.value, board)
    with World(on.value, transports, directory, screen.note, inputs=Inputs(board=board)) as world:
        results = run_story(world, STEPS, set(transports), screen)
        screen.facts(world.facts())
    found = report(on.value, results)
    found["facts"] = world.facts()
    screen.finish(found["result"] == PASSED, sum(result.seconds for result in results))
    return found


def _write(found: dict[str, Any], json_file: Path | None, junit: Path | None, summary: Path | None) -> None:
    from simulator.story.ci_reports import junit_xml, markdown

    if str(json_file) == "-":
        typer.echo(json.dumps(found, indent=2))
    elif json_file is not None:
        write_report(json_file, found)
    if junit is not None:
        junit.parent.mkdir(parents=True, exist_ok=True)
        junit.write_text(junit_xml(found), encoding="utf-8")
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(markdown(found))


def _run_folder(keep: Path) -> Path:
    """Return `keep` if it is empty, else the next free numbered folder in it, so that runs never mix."""
    if not keep.exists() or not any(keep.iterdir()):
        return keep
    number = 2
    while (keep / f"run-{number}").exists():
        number += 1
    return keep / f"run-{number}"

"""`firstboot board`: make the folder of a new board, and check on the board which steps of porting are done."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_json, print_line, print_report
from provisioning.cli.settings import with_settings
from simulator.porting import checklist, folder
from simulator.porting.modules import board_modules
from simulator.porting.session import ABSENT, FAILED, MISSING, PASSED, SKIPPED, STATES, Result, opened
from simulator.porting.targets import Permissions, QemuTarget, SerialTarget, Target, UnixTarget

app = CommandGroup(
    """Bring Firstboot to your own board: make its folder, then check on the board which steps are done.

The path from a chip on the desk to the first signed update is docs/porting.md.

Example: `firstboot board new lamp_board --like mcuboot`
"""
)

Kind = StrEnum("Kind", {name: name for name in folder.KINDS})  # type: ignore[misc]  # mypy wants a literal
Where = StrEnum("Where", {"qemu": "qemu", "unix": "unix"})
StepName = StrEnum("StepName", {name: name for name in checklist.MODULES})  # type: ignore[misc]

_MARKS = {PASSED: "ok     ", MISSING: "MISSING", FAILED: "FAILED ", ABSENT: "none   ", SKIPPED: "skipped"}


@app.callback()
def root() -> None:
    """Common options."""


@app.command("new")
def new_command(
    path: Annotated[
        Path, typer.Argument(metavar="NAME", help="The folder to make; its name is the board's name.")
    ],
    like: Annotated[
        Kind,
        typer.Option("--like", help="The kind of board: your own port with MCUboot's images, or a chip's."),
    ],
    is_json: JsonOption = False,
) -> None:
    """Make the folder of a new board, anywhere: configuration, ports to fill in, manifest, main.py and tests.

    The tests are the porting checklist: they name what is missing and the page that explains it.

    Example: `firstboot board new lamp_board --like mcuboot`
    """
    files = folder.new(path, like.value)
    lines = [f"made {path}:", *(f"  {file.name}" for file in files)]
    lines.append(f"next: {folder.next_step(like.value, shlex.quote(str(path)))}")
    document = {"board": path.name, "like": like.value, "files": [str(file) for file in files]}
    print_report(lines, document, is_json)


@app.command("sources")
def sources_command(is_json: JsonOption = False) -> None:
    """Print the variables that a build of a board's folder needs, as lines for a shell.

    A shell takes them with `eval "$(firstboot board sources)"`.

    Example: `firstboot board sources`
    """
    found = folder.sources()
    lines = [f"export {name}={shlex.quote(str(path))}" for name, path in found.items()]
    print_report(lines, {name: str(path) for name, path in found.items()}, is_json)


@dataclass(frozen=True, kw_only=True)
class CheckSettings:
    """The folder and the options of `board check`."""

    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="The board's folder.", file_okay=False)]
    port: Annotated[
        str | None,
        typer.Option("--port", metavar="LINE", help="Serial line of your board, e.g. /dev/ttyACM0."),
    ] = None
    where: Annotated[
        Where | None, typer.Option("--on", help="The emulated board, or MicroPython's unix port.")
    ] = None
    steps: Annotated[
        list[StepName] | None, typer.Option("--step", help="A step to run. Repeat it for more. Default: all.")
    ] = None
    may_burn: Annotated[
        bool,
        typer.Option("--burn", help="Also write lock and counter, WHICH CANNOT BE TAKEN BACK on a chip."),
    ] = False
    has_hand: Annotated[
        bool, typer.Option("--hand", help="Ask you to press the button and to look at the light.")
    ] = False
    host: Annotated[
        str,
        typer.Option("--host", metavar="ADDRESS", help="This computer's address, as the board reaches it."),
    ] = ""
    micropython: Annotated[
        Path | None,
        typer.Option(
            "--micropython",
            metavar="FILE",
            help="Program for `--on unix`, in place of the pinned one.",
            exists=True,
            dir_okay=False,
        ),
    ] = None
    is_json: JsonOption = False


@app.command("check")
@with_settings(CheckSettings, "board.check")
def check_command(settings: CheckSettings) -> None:
    """Run the porting checklist on a board with an open console. The exit code is 0 if nothing failed or is missing.

    The modules of FOLDER are sent to the board's RAM; nothing is installed. The checks erase the slot that does not
    run, and format a record region that does not mount.

    Example: `firstboot board check lamp_board --on qemu`
    """
    chosen = {step.value for step in settings.steps or list(StepName)}
    board_modules(settings.path)  # a folder that cannot be used is refused before a board is built or opened
    results: list[Result] = []
    with opened(_target(settings), settings.path) as session:
        number = 0
        for check in checklist.checks():
            if check.step.module not in chosen:
                continue
            if not settings.is_json and check.step.number != number:
                number = check.step.number
                print_line(f"{number:2} {check.step.title}")
            results.append(session.run(check))
            if not settings.is_json:
                _print(results[-1])
    counts = Counter(result.state for result in results)
    if settings.is_json:
        print_json(_document(settings.path, results, counts))
    else:
        print_line(", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]))
    if counts[FAILED] or counts[MISSING]:
        raise typer.Exit(int(ExitCode.FAILED))


def _target(settings: CheckSettings) -> Target:
    if (settings.port is None) == (settings.where is None):
        raise InputError("Name one board: --port with its serial line, or --on qemu, or --on unix.")
    permissions = Permissions(settings.may_burn, settings.host, _ask if settings.has_hand else None)
    if settings.port is not None:
        return SerialTarget(settings.port, permissions)
    if settings.where is Where.unix:
        return UnixTarget(settings.micropython, permissions, _progress)
    return QemuTarget(_progress)


def _progress(text: str) -> None:
    typer.echo(text, err=True)


def _ask(text: str, is_question: bool) -> bool:
    if is_question:
        return typer.confirm(f"Is it so: {text}?", err=True)
    typer.echo(f"  please: {text}", err=True)
    return True


def _print(result: Result) -> None:
    detail = f": {result.detail}" if result.detail else ""
    page = f" ({result.check.step.page})" if result.state in (MISSING, FAILED) else ""
    print_line(f"   {_MARKS[result.state]}  {result.check.sentence}{detail}{page}")


def _document(path: Path, results: list[Result], counts: Counter[str]) -> dict[str, Any]:
    return {
        "board": path.resolve().name,
        "counts": {state: counts[state] for state in STATES},
        "checks": [result.document() for result in results],
    }

"""`firstboot powercut`: cut the power at every flash operation of every flow, or repeat one cut."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.options import JsonOption
from provisioning.cli.settings import with_settings
from simulator.cli import powercut_runs as runs
from simulator.cli.options import BoardOption
from simulator.cli.powercut_output import Outputs
from simulator.powercut.journal import JournalError

app = CommandGroup(
    help="""Cut the power of a unit before, during and after every flash operation, and check that it recovers.

Example: `firstboot powercut run --flow set-up`
"""
)

JunitFile = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write a JUnit XML report: one case for each flow."),
]
SarifFile = Annotated[
    Path | None, typer.Option("--sarif", metavar="FILE", help="Write a SARIF 2.1.0 report for code scanning.")
]
HtmlFile = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one HTML page.")
]
Workers = Annotated[int, typer.Option(help="Number of processes.", min=1)]


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The options of `powercut run`."""

    flow: Annotated[
        list[str] | None,
        typer.Option(help=f"One of: {', '.join(runs.NAMES)}. Repeat it for several. Default: all."),
    ] = None
    seed: Annotated[
        str | None,
        typer.Option(
            help="Repeat this cut of --flow. `17.4`: cut 17 of the flow, then cut 4 of the recovery."
        ),
    ] = None
    on: Annotated[
        runs.On,
        typer.Option(
            help="`sim`: every cut, device code on CPython. `qemu`: a sample, on the emulated board."
        ),
    ] = runs.On.sim
    board: BoardOption = None
    sample: Annotated[int, typer.Option(help="Number of cuts on qemu.", min=1)] = 300
    tears: Annotated[
        int,
        typer.Option(
            help="How often each operation is torn, each time into another shape. 5: every shape after which "
            "reads are stable. 6: also bits that read differently each time.",
            min=1,
        ),
    ] = 1
    stride: Annotated[int, typer.Option(help="Take only every n-th cut.", min=1)] = 1
    depth: Annotated[
        int,
        typer.Option(
            help="2: also cut each recovery from a cut. 3: and the recovery from that.", min=1, max=4
        ),
    ] = 1
    second: Annotated[
        int,
        typer.Option(
            help="With --depth: cuts chosen in each recovery, by a fixed seed. 0: all of them.", min=0
        ),
    ] = 0
    shard: Annotated[
        str,
        typer.Option(metavar="K/N", help="Run part K of N. `powercut merge` makes one report of all parts."),
    ] = "1/1"
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep each outcome in this file. If it exists, only the missing jobs are run.",
        ),
    ] = None
    share: Annotated[
        bool,
        typer.Option(
            "--share/--no-share",
            help="Compute the same check, record or further life once. Without, everything is computed every time.",
        ),
    ] = True
    workers: Workers = 2
    junit: JunitFile = None
    sarif: SarifFile = None
    html: HtmlFile = None
    is_json: JsonOption = False


@app.command()
@with_settings(RunSettings, "powercut.run")
def run(settings: RunSettings) -> None:
    """Cut the power before, during and after every flash operation of every flow, and check that the unit recovers.

    The last line is `powercut: flows=N points=N bricked=0 open=0 mixed=0 lost=0 nonce_reuse=0`. If a count after
    `points` is not 0, the exit code is 1. `--flow NAME --seed N` repeats one cut.

    The flow `sectors` damages each sector of a unit, `rot` flips single bits. docs/how-to/power-cuts.md explains the
    campaign and how to run it on an application of your own.

    Example: `firstboot powercut run --depth 2 --second 20 --shard 1/4 --resume part-1.jsonl`
    """
    warnings.simplefilter("ignore", RuntimeWarning)  # tasks of a unit without power are never awaited
    outputs = Outputs(settings.is_json, settings.junit, settings.sarif, settings.html)
    try:
        flows, plan = runs.run(runs.Wanted.of(settings))
    except (JournalError, runs.UnknownError) as error:
        raise InputError(str(error)) from None
    outputs.end(flows, plan)


@app.command()
def merge(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The --resume files of all parts.")],
    junit: JunitFile = None,
    sarif: SarifFile = None,
    html: HtmlFile = None,
    is_json: JsonOption = False,
) -> None:
    """Make one report of the parts of a campaign: the same as that of one run. Files with missing jobs are refused.

    Example: `firstboot powercut merge part-1.jsonl part-2.jsonl --html report.html`
    """
    try:
        flows, plan = runs.merged(files)
    except JournalError as error:
        raise InputError(str(error)) from None
    Outputs(is_json, junit, sarif, html).end(flows, plan)


@app.command()
def bugs(
    bug: Annotated[
        list[str] | None,
        typer.Option("--bug", help="Plant only this one. Repeat it for several. Default: all."),
    ] = None,
    workers: Workers = 2,
    is_json: JsonOption = False,
) -> None:
    """Plant known bugs in the firmware, one at a time, and check that the campaign finds each of them.

    A bug is a wrong order or a missing check that replaces a function while the campaign runs; no file changes. The
    last line is the score. If a bug is missed, the exit code is 1.

    Example: `firstboot powercut bugs --bug seal-after-lock`
    """
    warnings.simplefilter("ignore", RuntimeWarning)
    try:
        runs.bugs(bug or [], workers, is_json)
    except runs.UnknownError as error:
        raise InputError(str(error)) from None

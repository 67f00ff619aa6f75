"""`firstboot powercut`: cut the power at every flash operation of every flow, or repeat one cut."""

from __future__ import annotations

import json
import time
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from simulator.powercut import checks, sectors
from simulator.powercut.bench import Bench, default_folder
from simulator.powercut.campaign import Campaign
from simulator.powercut.flows import FLOWS
from simulator.powercut.remember import remember_answers
from simulator.powercut.sweep import Report, flow_jobs, run_jobs

SHOWN = 20  # findings printed; the rest is counted
NAMES = [*FLOWS, sectors.NAME]

Flows = Annotated[
    list[str] | None,
    typer.Option(help=f"One of: {', '.join(NAMES)}. Repeat it for several. Default: all."),
]
Tears = Annotated[
    int, typer.Option(help="How often each operation is torn, each time with other bits.", min=1)
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to this file too.")
]


class On(StrEnum):
    """The unit whose power is cut."""

    sim = "sim"
    qemu = "qemu"


def powercut(
    flow: Flows = None,
    seed: Annotated[int | None, typer.Option(help="Repeat this cut of --flow.", min=0)] = None,
    on: Annotated[
        On,
        typer.Option(
            help="`sim`: every cut, device code on CPython. `qemu`: a sample, on the emulated board."
        ),
    ] = On.sim,
    sample: Annotated[int, typer.Option(help="Number of cuts on qemu.", min=1)] = 300,
    tears: Tears = 1,
    stride: Annotated[int, typer.Option(help="Take only every n-th cut.", min=1)] = 1,
    workers: Annotated[int, typer.Option(help="Number of processes.", min=1)] = 2,
    json_file: JsonFile = None,
) -> None:
    """Cut the power before, during and after every flash operation of every flow, and check that the unit recovers.

    The last line is `powercut: flows=N points=N bricked=0 open=0 mixed=0 lost=0 nonce_reuse=0`. If a count after
    `points` is not 0, the exit code is 1. `--flow NAME --seed N` repeats one cut.

    Example: `firstboot powercut --flow set-up --stride 10`
    """
    warnings.simplefilter("ignore", RuntimeWarning)  # tasks of a unit without power are never awaited
    if on is On.qemu:
        _end(_on_board(flow, seed, sample, workers), workers, json_file)
        return
    names = flow or NAMES
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise typer.BadParameter(f"there is no flow {unknown[0]!r}; use one of: {', '.join(NAMES)}")
    if seed is not None and len(names) != 1:
        raise typer.BadParameter("--seed needs exactly one --flow")
    campaign = Campaign(Bench(default_folder()))
    report = (
        _replay(campaign, names[0], seed)
        if seed is not None
        else _all(campaign, names, tears, stride, workers)
    )
    _end(report, workers, json_file)


def _end(report: Report, workers: int, json_file: Path | None) -> None:
    """Print the findings and the last line. Exit code 1 if there are findings."""
    for cut in report.findings.texts[:SHOWN]:
        typer.echo(cut, err=True)
    if json_file is not None:
        counts = {kind: report.findings.counts[kind] for kind in checks.KINDS}
        figures = {"flows": report.flows, "points": report.points, "states": report.states, **counts}
        json_file.write_text(json.dumps({**figures, "cuts_per_s": report.rate}, indent=1) + "\n")
    if report.seconds:
        typer.echo(
            f"  {report.points} cuts left {report.states} different units; {report.seconds:.0f} s, "
            f"{report.rate:.1f} cuts a second with {workers} processes",
            err=True,
        )
    typer.echo(report.line())
    if not report.is_clean:
        raise typer.Exit(1)


def _on_board(flow: list[str] | None, seed: int | None, sample: int, workers: int) -> Report:
    """Run a sample of the flows on the emulated board, or one case."""
    from simulator.powercut.on_board import flows as board_flows
    from simulator.powercut.on_board import sample as board

    names = flow or list(board_flows.FLOWS)
    unknown = [name for name in names if name not in board_flows.FLOWS]
    if unknown:
        known = ", ".join(board_flows.FLOWS)
        raise typer.BadParameter(f"there is no flow {unknown[0]!r} on the board; use one of: {known}")
    if seed is None:
        note = lambda text: typer.echo(f"  {text}", err=True)  # noqa: E731
        return board.run_sample(names, sample, 0, workers=workers, note=note)
    if len(names) != 1:
        raise typer.BadParameter("--seed needs exactly one --flow")
    result = board.replay(names[0], seed)
    typer.echo(result.cut, err=True)
    report = Report(flows=1)
    board.take(report, result)
    return report


def _replay(campaign: Campaign, name: str, seed: int) -> Report:
    """Run one case. A flow is run again with the cut in the flash driver, not taken from its recording."""
    if name == sectors.NAME:
        jobs = {job.seed: job for job in sectors.sector_jobs(campaign)}
        if seed not in jobs:
            raise typer.BadParameter(f"--seed is 0 to {len(jobs) - 1} for sectors")
        found, cut = sectors.run_sector(campaign, name, seed), jobs[seed].cuts[0]
    else:
        found, cut = campaign.run_case(name, seed, is_rerun=True), campaign.describe(name, seed)
    typer.echo(cut, err=True)
    return Report(1, 1, 1, findings=found)


def _all(campaign: Campaign, names: list[str], tears: int, stride: int, workers: int) -> Report:
    remember_answers()
    began = time.monotonic()
    jobs = flow_jobs(campaign, [name for name in names if name in FLOWS], tears=tears, stride=stride)
    if sectors.NAME in names:
        jobs += sectors.sector_jobs(campaign)[::stride]
    total = Report()
    reports = run_jobs(campaign, jobs, workers=workers, run_by={sectors.NAME: sectors.run_sector})
    for name, report in reports.items():
        typer.echo(
            f"  {name}: {report.points} cuts, {report.states} different units, {report.cpu_s:.1f} s of CPU",
            err=True,
        )
        total.add(report)
    total.seconds = time.monotonic() - began  # with the uncut runs, from which every cut starts
    return total

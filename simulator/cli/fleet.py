"""`firstboot fleet`: run a virtual fleet through a scenario, compare it with the full simulator; run a live fleet."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report
from provisioning.counted import counted
from simulator.cli.fleet_live import live
from simulator.fleet import base as bases
from simulator.fleet import dask_engine, engine
from simulator.fleet import scenario as scenarios
from simulator.fleet.errors import FleetError, ScenarioError
from simulator.fleet.full import FullUnit, compare
from simulator.fleet.plan import Event
from simulator.fleet.scenario import Scenario
from simulator.fleet.shard import Shard

app = CommandGroup(
    help="""Run many virtual units, with the firmware's own modules and in virtual time, through a scenario.

Example: `firstboot fleet run examples/fleet/day.toml`
"""
)
app.command()(live)

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="The scenario, a TOML file.")]
Remember = Annotated[
    bool,
    typer.Option(
        "--remember/--no-remember",
        help="Check the same signature once, and skip ticks that count nothing. Without, the report is the same.",
    ),
]


class Engine(StrEnum):
    """An engine that runs the shards of a fleet."""

    PROCESSES = "processes"
    DASK = "dask"


@app.command()
def run(
    scenario_file: ScenarioFile,
    workers: Annotated[int, typer.Option(help="Number of processes.", min=1, max=256)] = 1,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Write the log: one line for each event.")
    ] = None,
    is_remembered: Remember = True,
    engine_name: Annotated[
        Engine,
        typer.Option(
            "--engine",
            help="`dask`: on the cluster of DASK_SCHEDULER_ADDRESS, or on a local one with --workers processes.",
        ),
    ] = Engine.PROCESSES,
    shard_units: Annotated[
        int, typer.Option(help="With dask: units of a shard, which one worker runs at a time.", min=1)
    ] = dask_engine.SHARD_UNITS,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="With dask: keep each shard's events here as Parquet. The same command again goes on from there.",
        ),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Run a scenario to its end, and report releases, failures and what the run cost.

    The same scenario gives the same log on every machine, for any number of processes and with each engine; its SHA-256
    is printed.

    Example: `firstboot fleet run day.toml --workers 2 --json`
    """
    scenario = _read(scenario_file)
    if results is not None and engine_name is not Engine.DASK:
        raise InputError("--results needs --engine dask")
    with _log_file(log) as write:
        try:
            if engine_name is Engine.DASK:
                found = _run_on_dask(scenario, workers, shard_units, results, is_remembered, write)
            else:
                found = engine.run(
                    scenario,
                    workers=workers,
                    is_remembered=is_remembered,
                    on_events=write,
                    on_window=_progress,
                )
        except FleetError as error:
            raise InputError(str(error)) from None
    document = {"outcome": found.outcome.document(), "rollout": found.rollout, "cost": found.cost()}
    print_report(_lines(document), document, is_json)


def _run_on_dask(
    scenario: Scenario,
    workers: int,
    shard_units: int,
    results: Path | None,
    is_remembered: bool,
    write: Callable[[list[Event]], None],
) -> engine.Run:
    """Run a scenario on a cluster, and report each shard on standard error. Raises FleetError."""
    return dask_engine.run(
        scenario,
        workers=workers,
        shard_units=shard_units,
        results=results,
        is_remembered=is_remembered,
        on_window=lambda events, end_s: write(events),
        on_shard=lambda client, done, of: typer.echo(f"shard {done} of {of}", err=True),
    )


@app.command("compare")
def compare_command(
    scenario_file: ScenarioFile,
    units: Annotated[int, typer.Option(help="Number of units to compare.", min=1)] = 5,
    is_json: JsonOption = False,
) -> None:
    """Run the first units of a scenario in the full simulator too, and compare the logs event for event.

    The full simulator runs each unit on asyncio, with its records in littlefs and without anything remembered. If a log
    differs, the exit code is 1.

    Example: `firstboot fleet compare day.toml --units 5`
    """
    warnings.simplefilter("ignore", RuntimeWarning)  # tasks of a unit without power are never awaited
    scenario = _read(scenario_file)
    if scenario.rollout is not None:
        raise InputError("a rollout depends on all units: compare a scenario without [rollout]")
    base = bases.make()
    numbers = range(min(units, scenario.units))
    with Shard(scenario, base, numbers).opened() as shard:
        events = shard.run_until(scenario.end_s)
    differing: dict[int, list[str]] = {}
    for number in numbers:
        full = FullUnit(base, scenario, number).run()
        found = compare([event for event in events if event.unit == number], full)
        if found:
            differing[number] = found
    lines = [f"unit {number}: {text}" for number, texts in differing.items() for text in texts[:1]]
    lines.append(f"fleet: units={len(numbers)} events={len(events)} differing={len(differing)}")
    document = {"units": len(numbers), "events": len(events), "differing": sorted(differing)}
    print_report(lines, document, is_json)
    if differing:
        raise typer.Exit(1)


def _read(path: Path) -> Scenario:
    try:
        return scenarios.read(path)
    except ScenarioError as error:
        raise InputError("\n".join(f"{path}: {problem}" for problem in error.problems)) from None


def _progress(end_s: float) -> None:
    """Report each day of virtual time on standard error."""
    if end_s % scenarios.DAY_S == 0:
        typer.echo(f"day {round(end_s / scenarios.DAY_S)}", err=True)


@contextlib.contextmanager
def _log_file(path: Path | None) -> Iterator[Any]:
    """Yield a function that takes the events of a window."""
    if path is None:
        yield lambda events: None
        return
    with path.open("w", encoding="utf-8") as file:

        def write(events: list[Event]) -> None:
            file.writelines(event.line() for event in events)

        yield write


def _lines(document: dict[str, Any]) -> list[str]:
    """Return the report for a person."""
    found, cost = document["outcome"], document["cost"]
    lines = [
        f"{counted(found['units'], 'unit')} for {found['hours']} h, seed {found['seed']}: "
        f"{counted(found['events'], 'event')}, {counted(found['reports'], 'report')}, "
        f"{counted(found['starts'], 'start')}, {counted(found['power_cuts'], 'power cut')}"
    ]
    busiest = found["busiest_second"]
    lines.append(f"busiest second: {counted(busiest['reports'], 'report')}, after {busiest['time_s']} s")
    for number, count in found["units_by_release"].items():
        lines.append(f"release {number} runs on {counted(count, 'unit')}")
    for one in found["releases"]:
        lines.append(
            f"release {one['release']}: published after {one['published_s']} s, "
            f"half of the fleet {_after(one['time_to_50_percent_s'])}, 95 % {_after(one['time_to_95_percent_s'])}"
        )
    lines += [
        f"{counted(one['units'], 'unit')} met error {one['error']} ({one['name']})"
        for one in found["units_by_error"]
    ]
    if document["rollout"] is not None:
        lines += _rollout_lines(document["rollout"])
    lines.append(
        f"{counted(found['units_without_report'], 'unit')} never reported, {found['units_stale']} are stale, "
        f"{found['units_with_error']} reported an error last"
    )
    lines.append(
        f"cost: {cost['wall_s']} s with {cost['workers']} processes, {cost['processor_ms_per_unit_day']} ms of "
        f"processor for each unit and day, {counted(cost['units_per_core'], 'unit')} per core in real time, "
        f"{cost['bytes_per_unit']} bytes per unit"
    )
    lines.append(f"log: SHA-256 {found['log_sha256']}")
    return lines


def _rollout_lines(found: dict[str, Any]) -> list[str]:
    return [
        f"rollout of release {found['release']}: after {one['time_s']} s {one['state']} in stage {one['stage']}, "
        f"{one['share']:.2%} of the fleet, {one['confirmed']} confirmed, {one['failed']} failed"
        + (f" ({one['reason']})" if one["reason"] else "")
        for one in found["changes"]
    ]


def _after(seconds: float | None) -> str:
    return "not reached" if seconds is None else f"after {seconds:.0f} s"

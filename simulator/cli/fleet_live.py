"""`firstboot fleet live`: units with real sockets and TLS against a real broker of this machine."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report
from provisioning.counted import counted
from simulator.fleet import base as bases
from simulator.fleet import live as fleets
from simulator.fleet.live_found import Connections, Machine, Storm

_BAR: Final = 40


def live(
    units: Annotated[int, typer.Option(help="Number of units.", min=1, max=100_000)] = 50,
    check_interval_s: Annotated[
        int, typer.Option("--check-interval", metavar="SECONDS", help="Between two checks.", min=1, max=3600)
    ] = 20,
    outage_s: Annotated[
        int, typer.Option("--outage", metavar="SECONDS", help="How long no server answers.", min=1, max=3600)
    ] = 30,
    is_json: JsonOption = False,
) -> None:
    """Connect many units to a broker of this machine with TLS, stop it, and report how they come back.

    mosquitto and the tracker run on loopback. Every unit runs the whole firmware, in real time and in one process, with
    a certificate of its own. First each unit opens one connection, and all are held at the same time. Then all units
    run, the servers stop for --outage seconds, and the report counts the connections in each second after that.

    Example: `firstboot fleet live --units 50`
    """
    machine = Machine.now()
    base = bases.make()
    with tempfile.TemporaryDirectory(prefix="fb-fleet-") as folder:
        found = asyncio.run(fleets.run(base, Path(folder), units, check_interval_s, outage_s))
    document = {
        "machine": {"cores": machine.cores, "load": machine.load, "is_busy": machine.is_busy},
        "connections": found[0].document(),
        "storm": found[1].document(),
    }
    print_report(_lines(machine, *found), document, is_json)


def _lines(machine: Machine, connections: Connections, storm: Storm) -> list[str]:
    """Return the report for a person."""
    found, back = connections.document(), storm.document()
    busy = ": it was busy, so it can do more than this report says" if machine.is_busy else ""
    lines = [
        f"machine: {machine.cores} cores, load {machine.load} before the run{busy}",
        f"connections: {found['count']} held at the same time, {found['connects_per_s']} connects/s, "
        f"{found['connects_per_processor_s']} in each second of the units' processor time; "
        f"{found['kib_per_connection']} KiB per connection in the units' process, "
        f"{found['broker_kib_per_connection']} KiB in the broker",
        f"outage of {back['outage_s']} s: {back['failed_attempts']} attempts to connect failed",
        f"after it: {back['returned']} of {back['units']} units reported, "
        + ", ".join(f"{share} {_after(at_s)}" for share, at_s in back["returned_s"].items())
        + f"; {counted(back['busiest_second'], 'connection')} in the busiest second",
    ]
    return lines + _bars(back["connects_in_each_second"])


def _bars(counts: list[int]) -> list[str]:
    """Return one line for each second, with a bar."""
    most = max(counts, default=0)
    return [
        f"  second {number:3}: {count:5} {'#' * -(-count * _BAR // most)}"
        for number, count in enumerate(counts)
    ]


def _after(seconds: Any) -> str:
    return "not reached" if seconds is None else f"after {seconds:.1f} s"

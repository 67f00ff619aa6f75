"""`firstboot station run`: many ports at once, shown in the terminal, as JSON lines, or on the operator's page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from provisioning.cli.errors import err
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.output import print_json_line, print_line
from provisioning.cli.settings import with_settings
from provisioning.cli.signing_time import IN_UNITS, warn_of_clock
from provisioning.cli.station_page import ENDING, serve_page
from provisioning.cli.station_settings import RunSettings
from provisioning.keys.key_ring import KeyRing
from provisioning.station.line import Line, PortView
from provisioning.station.port_state import PortState
from provisioning.station.ports import finder_of
from provisioning.station.station import Station
from provisioning.station.web.floor import WORDS, Floor
from provisioning.station.web.login import set_password

_STYLES: Final = {
    PortState.PASSED: "bold white on green",
    PortState.FAILED: "bold white on red",
    PortState.RUNNING: "bold blue",
    PortState.READY: "bold yellow",
    PortState.REFUSED: "bold yellow",
}


def set_login(
    login: Annotated[
        Path, typer.Argument(metavar="FILE", help="The login file. An existing one is replaced.")
    ],
) -> None:
    """Set the password of the operator's page. It is asked for, never taken from the command line.

    Example: `firstboot station set-login station.login`
    """
    password = typer.prompt("Station password", hide_input=True, confirmation_prompt=True, err=True)
    set_password(login, password)
    print_line(f"Wrote {login}.")


@with_settings(RunSettings, "station.run")
def run(settings: RunSettings) -> None:
    """Provision units on many ports at once until Ctrl-C or `--count`. Ctrl-C lets the runs in progress finish.

    With `--web`, an operator starts and stops the batch on a web page with a login. Ends with exit code 1 if a unit
    failed.

    Example: `firstboot station run --config firstboot.toml --port "serial:/dev/ttyUSB*" --web 8080 --login
    station.login`
    """
    warn_of_clock(IN_UNITS)
    config = settings.config()
    with settings.opened() as registry:
        product = config.product
        floor = Floor(registry, settings.labels, f"{product.brand} {product.model}", product.batch)
        listener = _listener(floor, _Lines() if settings.is_json else None)
        station = Station(config, registry, KeyRing(settings.keys))
        line = Line(
            station, finder_of(settings.port), start_on_scan=settings.start_on_scan, listener=listener
        )
        floor.attach(line)
        if settings.web is not None:
            serve_page(floor, settings.web, settings)
        else:
            _watch(floor, settings.count, is_quiet=settings.is_json)
        totals = floor.totals()
    if settings.is_json:
        print_json_line({"totals": _totals(floor)})
    else:
        print_line(f"{totals.passed} passed, {totals.failed} failed, {totals.refused} were finished before")
    if totals.failed:
        raise typer.Exit(int(ExitCode.FAILED))


def _listener(floor: Floor, show: Callable[[PortView], None] | None) -> Callable[[PortView], None]:
    """Return what workers call with every change of a port."""

    def report(view: PortView) -> None:
        floor.report(view)
        if show is not None:
            show(view)

    return report


class _Lines:
    """Prints each view as one line of JSON; workers call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, view: PortView) -> None:
        with self._lock:
            print_json_line(
                {
                    "port": view.name,
                    "state": str(view.state),
                    "serial": view.serial,
                    "phase": view.phase,
                    "phases_done": view.phases_done,
                    "message": view.message,
                    "advice": view.advice,
                    "for_sale": view.is_for_sale,
                    "seconds": round(view.seconds, 3),
                }
            )


def _totals(floor: Floor) -> dict[str, Any]:
    totals = floor.totals()
    return {
        "passed": totals.passed,
        "failed": totals.failed,
        "refused": totals.refused,
        "seconds": round(totals.seconds, 3),
        "units_per_hour": round(totals.units_per_hour, 1),
        "yield_percent": round(totals.yield_percent, 1),
    }


def _watch(floor: Floor, count: int, *, is_quiet: bool) -> None:
    """Run the line until `count` units are done or a person presses Ctrl-C."""
    floor.start()
    try:
        if is_quiet:
            _wait(floor, count, lambda: None)
        else:
            with Live(_screen(floor), console=err, refresh_per_second=4) as live:
                _wait(floor, count, lambda: live.update(_screen(floor)))
                live.update(_screen(floor))
    except KeyboardInterrupt:
        err.print(ENDING)
    finally:
        floor.stop()


def _wait(floor: Floor, count: int, show: Any) -> None:
    while True:
        show()
        totals = floor.totals()
        if count and totals.passed + totals.failed >= count:
            return
        time.sleep(0.2)


def _screen(floor: Floor) -> Group:
    """Return the line as a table, with a line of counts below."""
    table = Table("port", "", "unit", "progress", "what to do", title=f"{floor.product}, batch {floor.batch}")
    for view in floor.views():
        word, meaning = WORDS[view.state]
        progress = f"{view.phases_done}/{view.phases} {view.phase}" if view.state is PortState.RUNNING else ""
        reason = Text("\n".join(text for text in (view.message, view.advice or meaning) if text))
        table.add_row(
            Text(view.name),
            Text(f" {word} ", _STYLES.get(view.state, "")),
            view.serial or view.board[:8],
            progress,
            reason,
        )
    totals = floor.totals()
    counts = (
        f"{totals.passed} passed, {totals.failed} failed, yield {totals.yield_percent:.0f} %,"
        f" {totals.units_per_hour:.0f} units per hour"
    )
    return Group(table, Text(counts))

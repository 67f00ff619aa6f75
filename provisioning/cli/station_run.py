"""`firstboot station run`: many ports at once, shown in the terminal, as JSON lines, or on the operator's page."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from provisioning.cli.errors import err
from provisioning.cli.station_options import (
    FAILED,
    ArchiveOption,
    DevelopmentOption,
    FilesOption,
    ImageOption,
    KeysOption,
    LabelsOption,
    NameOption,
    OscoreKeyOption,
    ProductOption,
    RegistryOption,
    TemplateOption,
    station_config,
)
from provisioning.keys.key_ring import KeyRing
from provisioning.registry.registry import Registry
from provisioning.station.line import Line, PortView
from provisioning.station.port_state import PortState
from provisioning.station.ports import finder_of
from provisioning.station.station import Station
from provisioning.station.web.floor import WORDS, Floor
from provisioning.station.web.login import Login, set_password

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_STYLES: Final = {
    PortState.PASSED: "bold white on green",
    PortState.FAILED: "bold white on red",
    PortState.RUNNING: "bold blue",
    PortState.READY: "bold yellow",
    PortState.REFUSED: "bold yellow",
}


def set_login(
    login: Annotated[Path, typer.Argument(help="The login file; replaced where there is one.")],
) -> None:
    """Set the password of the operator's page; it is asked for, never given on the command line."""
    password = typer.prompt("Station password", hide_input=True, confirmation_prompt=True)
    set_password(login, password)
    typer.echo(f"wrote {login}")


def run(  # noqa: PLR0913, PLR0917 - one parameter for each option
    port: Annotated[
        list[str],
        typer.Option(help="A factory port: serial:DEVICE[@RATE] (with * for all), tcp:HOST:PORT, unix:PATH."),
    ],
    product: ProductOption,
    keys: KeysOption,
    registry: RegistryOption,
    labels: LabelsOption,
    oscore_key: OscoreKeyOption = None,
    files: FilesOption = None,
    station_name: NameOption = "station",
    archive: ArchiveOption = None,
    image_digest: ImageOption = None,
    label_template: TemplateOption = None,
    scan: Annotated[
        bool, typer.Option("--scan", help="A board starts when scanned, not when put on.")
    ] = False,
    count: Annotated[
        int, typer.Option(min=0, help="End after this many units passed or failed; 0: until Ctrl-C.")
    ] = 0,
    web: Annotated[str | None, typer.Option(help="Serve the operator's page on PORT or HOST:PORT.")] = None,
    login: Annotated[
        Path | None, typer.Option(help="Login file of the page (firstboot station set-login).")
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM; needed beyond loopback.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM; needed beyond loopback.")] = None,
    development: DevelopmentOption = False,
    as_lines: Annotated[
        bool, typer.Option("--json", help="One JSON document per change, on standard output.")
    ] = False,
) -> None:
    """Provision boards on many ports at once. Ctrl-C ends after the runs that are under way.

    Exit code 1 where a unit failed. With --web the batch is started and stopped on the page, behind its login.
    """
    config = station_config(
        product,
        labels,
        oscore_key=oscore_key,
        station_name=station_name,
        archive=archive,
        image_digest=image_digest,
        label_template=label_template,
        development=development,
    )
    definition = config.product
    book = Registry(registry, files=files)
    try:
        station = Station(config, book, KeyRing(keys))
        floor = Floor(book, labels, f"{definition.brand} {definition.model}", definition.batch)
        show = _Lines() if as_lines else None

        def tell(view: PortView) -> None:
            floor.tell(view)
            if show is not None:
                show(view)

        line = Line(station, finder_of(port), start_on_scan=scan, listener=tell)
        floor.attach(line)
        if web is not None:
            _serve(floor, web, login, tls_certificate, tls_key)
        else:
            _watch(floor, count, is_quiet=as_lines)
        totals = floor.totals()
    finally:
        book.close()
    if as_lines:
        _print({"totals": _totals(floor)})
    else:
        typer.echo(f"{totals.passed} passed, {totals.failed} failed, {totals.refused} finished before")
    if totals.failed:
        raise typer.Exit(FAILED)


class _Lines:
    """Prints each view as one line of JSON; workers call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, view: PortView) -> None:
        with self._lock:
            _print(
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


def _print(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


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
    """Run the line until `count` units are done or somebody presses Ctrl-C."""
    floor.start()
    try:
        if is_quiet:
            _wait(floor, count, lambda: None)
        else:
            with Live(_screen(floor), console=err, refresh_per_second=4) as live:
                _wait(floor, count, lambda: live.update(_screen(floor)))
                live.update(_screen(floor))
    except KeyboardInterrupt:
        err.print("ending behind the runs that are under way")
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
    """The line as a table, with a line of counts below."""
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


def _serve(
    floor: Floor, address: str, login: Path | None, certificate: Path | None, key: Path | None
) -> None:
    """The operator's page until Ctrl-C. Raises ValueError for what is not safe to serve."""
    import uvicorn

    from provisioning.station.web.app import make_app

    host, _, number = address.rpartition(":")
    host = host.strip("[]") or LOOPBACK[0]
    if not number.isdecimal() or not 0 < int(number) < 65536:
        raise ValueError("--web is PORT or HOST:PORT")
    if login is None:
        raise ValueError("the page needs --login FILE; make one with firstboot station set-login FILE")
    is_tls = certificate is not None and key is not None
    if host not in LOOPBACK and not is_tls:
        raise ValueError(f"beyond this machine ({host}) the page needs --tls-certificate and --tls-key")
    hosts = list({host, *(LOOPBACK if host in LOOPBACK else ())})
    app = make_app(floor, Login.load(login), hosts, is_tls=is_tls)
    config = uvicorn.Config(
        app,
        host=host,
        port=int(number),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    err.print(f"the operator's page is on {'https' if is_tls else 'http'}://{host}:{number}/; Ctrl-C ends it")
    try:
        uvicorn.Server(config).run()
    except KeyboardInterrupt:
        err.print("ending behind the runs that are under way")
    finally:
        floor.stop()

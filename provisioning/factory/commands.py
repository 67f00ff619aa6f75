"""`firstboot station`: set a station up, provision units, look at the registry."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from device.errors import FirstbootError
from device.support import date_text
from provisioning.compliance.ship_command import ship
from provisioning.compliance.statement import StatementError
from provisioning.factory.batch_commands import check_batch, rework
from provisioning.factory.example import EXAMPLE
from provisioning.factory.phases import PhaseResult, as_json
from provisioning.factory.ports import open_address
from provisioning.factory.product import ProductError, load_product
from provisioning.factory.station import (
    Station,
    StationConfig,
    StationError,
    UnitFailedError,
    UnitRefusedError,
    UnitResult,
)
from provisioning.registry.errors import RegistryError
from provisioning.registry.models import Unit
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerKey
from provisioning.signing.keys import KeyRing, KeyRingError
from provisioning.web.run_command import run, set_login

DONE: Final = 0
FAILED: Final = 1
WRONG_INPUT: Final = 2
REFUSED: Final = 3

HELP = """Provision units: from bare firmware to locked, labelled and recorded.

Begin with `firstboot station init DIR`. No output of these commands holds a set-up code or a key; the code is on
the label's PNG (mode 0600) and nowhere else.

Exit codes: 0 done; 1 the unit or the station failed (the phase and the reason are said); 2 the command line, the
product definition, the keys or the registry cannot be used; 3 the unit is finished already and was left alone.
"""

app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_show_locals=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)

app.command()(ship)
app.command()(run)
app.command("set-login")(set_login)
app.command("check-batch")(check_batch)
app.command()(rework)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]
RegistryOption = Annotated[
    str, typer.Option("--registry", help="The station's registry: a SQLite file, or postgresql://HOST/NAME.")
]
FilesOption = Annotated[
    Path | None, typer.Option("--files", help="Folder of the registry's key files; needed with PostgreSQL.")
]


@contextmanager
def _told() -> Iterator[None]:
    """Say what cannot be used, and end with the exit code for it."""
    try:
        yield
    except ProductError as error:
        err.print("[bold red]the product definition cannot be used:[/]")
        for problem in error.problems:
            err.print(f"  {problem}", markup=False)
        raise typer.Exit(WRONG_INPUT) from None
    except (StationError, StatementError, RegistryError, KeyRingError, ValueError) as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(WRONG_INPUT) from None
    except (OSError, FirstbootError) as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(FAILED) from None


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Folder for the station's files; made where missing.")],
    development: Annotated[
        bool, typer.Option("--development", help="Also draw development keys into DIR/keys (NOT FOR SALE).")
    ] = False,
) -> None:
    """Write an example product definition into DIR and say what to do next. Overwrites nothing."""
    product = directory / "product.toml"
    with _told():
        directory.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(product, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            typer.echo(f"{product} is there already and was left as it is")
        else:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(EXAMPLE)
            typer.echo(f"wrote {product}: edit it")
        if development:
            KeyRing.draw_development(directory / "keys")
            typer.echo(f"development keys are in {directory / 'keys'}: what they make is NOT FOR SALE")
    flag = " --development" if development else ""
    typer.echo(
        f"then: firstboot station provision --port tcp:HOST:PORT --product {product} --keys {directory / 'keys'}"
        f" --registry {directory / 'registry.db'} --labels {directory / 'labels'}{flag}"
    )


@app.command()
def provision(  # noqa: PLR0913, PLR0917 - one parameter for each option
    port: Annotated[
        str, typer.Option(help="The unit's factory port: serial:DEVICE[@RATE], tcp:HOST:PORT or unix:PATH.")
    ],
    product: Annotated[Path, typer.Option(help="The product definition (TOML).")],
    keys: Annotated[Path, typer.Option(help="Folder with the maker's keys.")],
    registry: RegistryOption,
    labels: Annotated[Path, typer.Option(help="Folder for label PNGs.")],
    oscore: Annotated[
        Path | None,
        typer.Option(help="The CoAP server's credential store (a folder); left out: none is told."),
    ] = None,
    oscore_key: Annotated[
        Path | None,
        typer.Option(
            help="The CoAP server's public key (PEM): OSCORE secrets are sealed to it, into the registry."
        ),
    ] = None,
    files: FilesOption = None,
    station_name: Annotated[
        str, typer.Option("--station", help="This station's name, which its chain of records bears.")
    ] = "station",
    archive: Annotated[
        Path | None,
        typer.Option(help="Folder with the statements that were issued; not for development units."),
    ] = None,
    image_digest: Annotated[
        str | None, typer.Option(help="SHA-256 (hex) of the only image that units may run.")
    ] = None,
    development: Annotated[
        bool, typer.Option("--development", help="Allow development keys and builds: NOT FOR SALE.")
    ] = False,
    as_document: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show operations on the port.")] = False,
) -> None:
    """Provision the unit on PORT and print what became of it."""
    with _told():
        config = StationConfig(
            product=load_product(product),
            labels_dir=labels,
            oscore_dir=oscore,
            oscore_key=None if oscore_key is None else ServerKey.load(oscore_key),
            station_name=station_name,
            archive_dir=archive,
            development=development,
            expected_image_digest=None if image_digest is None else bytes.fromhex(image_digest),
        )
        book = Registry(registry, files=files)
        try:
            log = (lambda text: err.print(text, style="dim", markup=False)) if verbose else None
            station = Station(config, book, KeyRing(keys), log=log)
            stream = open_address(port)
            try:
                result = station.provision(stream, _show_progress)
            finally:
                stream.close()
        except UnitFailedError as failure:
            code = REFUSED if isinstance(failure, UnitRefusedError) else FAILED
            _report_failure(failure, code, as_document)
            raise typer.Exit(code) from None
        finally:
            book.close()
    _report(result, as_document)


def _show_progress(name: str, result: PhaseResult | None) -> None:
    if result is None:
        return
    colour = "green" if result.error is None else "bold red"
    err.print(f"[{colour}]{result.outcome:8}[/]{name:12} {result.seconds:8.3f} s")


def _report(result: UnitResult, as_document: bool) -> None:
    if as_document:
        document = {
            "outcome": "PASS",
            "serial": result.serial,
            "device_id": result.device_id.hex(),
            "record_hash": result.record_hash.hex(),
            "label": str(result.label_path),
            "for_sale": not result.is_development,
            "is_resumed": result.is_resumed,
            "phases": as_json(result.phases),
        }
        _print_json(document)
        return
    typer.echo(f"unit {result.serial} is locked, labelled and recorded; label: {result.label_path}")
    if result.is_development:
        typer.echo("NOT FOR SALE: made with development keys")


def _report_failure(failure: UnitFailedError, code: int, as_document: bool) -> None:
    if as_document:
        outcome = "REFUSED" if code == REFUSED else str(failure.outcome)
        _print_json({"outcome": outcome, "error": str(failure), "phases": as_json(failure.phases)})
    err.print(str(failure), style="red", markup=False)


def _print_json(document: Any) -> None:
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


@app.command()
def show(
    registry: RegistryOption,
    files: FilesOption = None,
    serial: Annotated[str | None, typer.Option(help="Show the runs of one unit.")] = None,
    as_document: JsonOption = False,
) -> None:
    """Show what the registry holds, and whether its chain of production records is whole."""
    with _told():
        if "://" not in registry and not Path(registry).is_file():
            raise ValueError(f"there is no registry {registry}")
        book = Registry(registry, files=files)
        try:
            records = book.verify_chain()
            units = [_facts(unit, book) for unit in book.units() if serial in (None, unit.serial)]
            if serial is not None and not units:
                raise ValueError(f"the registry knows no unit {serial}")
        finally:
            book.close()
    if as_document:
        _print_json({"chain": "whole", "production_records": records, "units": units})
        return
    out = Console(highlight=False)
    out.print(_table(units))
    for unit in units if serial is not None else []:
        for phase in unit["phases"]:
            out.print(f"{phase['outcome']:8}{phase['name']:12} {phase['error'] or ''}", markup=False)
    out.print(f"{records} production records; the chain is whole")


def _facts(unit: Unit, book: Registry) -> dict[str, Any]:
    drawn, live = book.codes_drawn(unit.id)
    return {
        "serial": unit.serial,
        "device_id": unit.device_id.hex(),
        "hardware_id": unit.hardware_id.hex(),
        "batch": unit.batch,
        "status": unit.status,
        "version": unit.version,
        "support_end": None if unit.support_end_day is None else date_text(unit.support_end_day),
        "for_sale": unit.status == "released" and not unit.is_development,
        "codes_drawn": drawn,
        "codes_live": live,
        "label": unit.label_name,
        "phases": [
            {"name": phase.name, "outcome": phase.outcome, "seconds": phase.seconds, "error": phase.error}
            for phase in book.phases(unit.id)
        ],
    }


def _table(units: list[dict[str, Any]]) -> Table:
    table = Table("serial", "batch", "status", "for sale", "version", "support end", "codes drawn")
    for unit in units:
        cells = (unit["version"], unit["support_end"])
        table.add_row(
            unit["serial"],
            unit["batch"],
            unit["status"],
            "yes" if unit["for_sale"] else "NOT FOR SALE",
            *(cell or "-" for cell in cells),
            str(unit["codes_drawn"]),
        )
    return table

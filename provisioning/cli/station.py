"""`firstboot station`: set a station up, provision units, look at the registry."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from device.records.support import date_text
from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import err
from provisioning.cli.station_batch import check_batch, quarantine, rework
from provisioning.cli.station_label import label
from provisioning.cli.station_options import (
    FAILED,
    ArchiveOption,
    DevelopmentOption,
    FilesOption,
    ImageOption,
    JsonOption,
    KeysOption,
    LabelsOption,
    NameOption,
    OscoreKeyOption,
    ProductOption,
    RegistryOption,
    TemplateOption,
    station_config,
)
from provisioning.cli.station_run import run, set_login
from provisioning.cli.station_sample import sample
from provisioning.cli.station_ship import ship
from provisioning.keys.key_ring import KeyRing
from provisioning.product.example import EXAMPLE
from provisioning.product.product import product_schema
from provisioning.registry.models import Unit
from provisioning.registry.registry import Registry
from provisioning.registry.sale import is_for_sale, obstacle
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.station.phases import PhaseResult, as_json
from provisioning.station.ports import open_address
from provisioning.station.station import Station, UnitFailedError, UnitRefusedError, UnitResult

REFUSED: Final = 3

HELP = """Provision units: from bare firmware to locked, labelled and recorded.

Begin with `firstboot station init DIR`. No output of these commands holds a set-up code or a key; the code is on
the label's PNG (mode 0600) and nowhere else.

Exit codes: 0 done; 1 the unit or the station failed (the phase and the reason are said); 2 the command line, the
product definition, the keys or the registry cannot be used; 3 the unit is finished already and was left alone.
"""

app = CommandGroup(HELP)


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Folder for the station's files; made where missing.")],
    development: Annotated[
        bool,
        typer.Option(
            "--development", help="Also draw development keys into DIR/keys and DIR/server (NOT FOR SALE)."
        ),
    ] = False,
    board: Annotated[
        str, typer.Option(help="The board of the product; `simulator` for boards without QEMU.")
    ] = "mps2_an385",
) -> None:
    """Write an example product definition into DIR and say what to do next. Overwrites nothing."""
    product = directory / "product.toml"
    directory.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(product, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        typer.echo(f"{product} is there already and was left as it is")
    else:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(EXAMPLE.replace('"mps2_an385"', json.dumps(board)))
        typer.echo(f"wrote {product}: edit it")
    if development:
        KeyRing.generate_development(directory / "keys")
        typer.echo(f"development keys are in {directory / 'keys'}: what they make is NOT FOR SALE")
        server = directory / "server"
        if not (server / "oscore.key").exists():
            server.mkdir(mode=0o700, exist_ok=True)
            ServerPrivateKey.create(server / "oscore.key", server / "oscore.pub")
            typer.echo(f"the CoAP server's key pair is in {server}: a real one never leaves the server")
    Registry.create(directory / "registry.db", exist_ok=True).close()
    typer.echo(f"the registry is {directory / 'registry.db'}: it holds this station's serial numbers")
    common = f"--product {product} --registry {directory / 'registry.db'} --labels {directory / 'labels'}"
    if development:
        own = f"--keys {directory / 'keys'} --oscore-key {directory / 'server' / 'oscore.pub'} --development"
        typer.echo(f"then: firstboot station provision --port tcp:HOST:PORT {common} {own}")
        typer.echo("no board at hand? firstboot device bare runs some")
    else:
        typer.echo("before units for sale can be made (docs/factory.md):")
        typer.echo(f"  firstboot keys init MAKER --product {product}         the maker's keys")
        typer.echo("  firstboot keys generate server DIR                     on the CoAP server")
        typer.echo("  firstboot site build, statement evidence, issue       the papers")
        own = "--keys MAKER/keys --oscore-key DIR/oscore.pub --archive ARCHIVE"
        typer.echo(f"then: firstboot station provision --port tcp:HOST:PORT {common} {own}")


@app.command()
def schema() -> None:
    """Print the JSON Schema (2020-12) of product definitions, for editors and other programs that write them."""
    _print_json(product_schema())


@app.command()
def provision(  # noqa: PLR0913, PLR0917 - one parameter for each option
    port: Annotated[
        str, typer.Option(help="The unit's factory port: serial:DEVICE[@RATE], tcp:HOST:PORT or unix:PATH.")
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
    development: DevelopmentOption = False,
    as_document: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show operations on the port.")] = False,
) -> None:
    """Provision the unit on PORT and print what became of it."""
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
    drawn, live = book.codes_generated(unit.id)
    return {
        "serial": unit.serial,
        "device_id": unit.device_id.hex(),
        "hardware_id": unit.hardware_id.hex(),
        "batch": unit.batch,
        "status": unit.status,
        "version": unit.version,
        "support_end": None if unit.support_end_day is None else date_text(unit.support_end_day),
        "for_sale": is_for_sale(unit),
        "not_for_sale_because": obstacle(unit),
        "codes_generated": drawn,
        "codes_live": live,
        "label": unit.label_name,
        "phases": [
            {"name": phase.name, "outcome": phase.outcome, "seconds": phase.seconds, "error": phase.error}
            for phase in book.phases(unit.id)
        ],
    }


def _table(units: list[dict[str, Any]]) -> Table:
    table = Table()
    for name in ("serial", "batch", "status", "for sale", "version", "support end", "codes"):
        table.add_column(name, no_wrap=name in ("serial", "support end"))
    for unit in units:
        cells = (unit["version"], unit["support_end"])
        table.add_row(
            unit["serial"],
            unit["batch"],
            unit["status"],
            "yes" if unit["for_sale"] else f"NO: {unit['not_for_sale_because']}",
            *(cell or "-" for cell in cells),
            str(unit["codes_generated"]),
        )
    return table


# In the order of use, which is the order of the help.
app.command()(run)
app.command("set-login")(set_login)
app.command()(label)
app.command("check-batch")(check_batch)
app.command()(ship)
app.command()(sample)
app.command()(quarantine)
app.command()(rework)
app.moved("ca", "firstboot keys ca")

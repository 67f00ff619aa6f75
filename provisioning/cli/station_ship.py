"""`firstboot station ship`: the gate between a finished unit and the market."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import err
from provisioning.cli.statement import FAILED, ArchiveOption, JsonOption, today_utc
from provisioning.compliance.archive import Archive
from provisioning.compliance.faults import ship_faults
from provisioning.compliance.gate import Gate, Refusal, ShipError
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.packing import public_pem
from provisioning.compliance.statement import OPEN_POINTS
from provisioning.keys.key_ring import KeyRing
from provisioning.registry.registry import Registry


def ship(  # noqa: PLR0913, PLR0917 - one parameter for each option
    registry: Annotated[
        str, typer.Option(help="The main registry: a SQLite file, or postgresql://HOST/NAME.")
    ],
    archive: ArchiveOption,
    register: Annotated[Path, typer.Option(help="The published support register (JSON lines).")],
    packing: Annotated[Path, typer.Option(help="The packing ledger, which gets a line for each unit.")],
    keys: Annotated[Path, typer.Option(help="Folder with the maker's keys: whose signatures units trust.")],
    serial: Annotated[str | None, typer.Option(help="Ship this unit.")] = None,
    batch: Annotated[str | None, typer.Option(help="Ship every unit of this batch, or none.")] = None,
    files: Annotated[
        Path | None, typer.Option(help="Folder of the registry's key files; needed with PostgreSQL.")
    ] = None,
    as_document: JsonOption = False,
) -> None:
    """Let a unit or a whole batch leave; refused, with each reason, while its papers or records are not in order.

    Looked at: verification, statement of compliance, published support period, uniqueness. The batch has to be closed
    (firstboot registry close-batch), every branch synced, and its codes checked (firstboot station check-batch).
    Exit code 1: refused.
    """
    if (serial is None) == (batch is None):
        raise ValueError("give either --serial or --batch")
    if "://" not in registry and not Path(registry).is_file():
        raise ValueError(f"there is no registry {registry}")
    book = Registry(registry, files=files)
    try:
        gate = Gate(
            book,
            Archive(archive),
            Ledger(register).lines(),
            Ledger(packing),
            KeyRing(keys).anchor_keys(),
            today_utc(),
            lambda number: ship_faults(book, number),
        )
        shipped = gate.ship(serial=serial, batch=batch)
        station = packing.with_suffix(".station.pub")
        if shipped:
            station.write_bytes(public_pem(book.signer.public))
    except ShipError as refused:
        _report(refused.refusals, as_document)
        raise typer.Exit(FAILED) from None
    finally:
        book.close()
    if as_document:
        typer.echo(json.dumps({"outcome": "SHIPPED", "serials": shipped}, indent=2))
        return
    typer.echo(
        f"shipped {len(shipped)} units; their lines are in {packing}, signed by the key in {station.name}"
    )
    typer.echo("Open points for your lawyer (this is no legal advice):")
    for number, point in enumerate(OPEN_POINTS, 1):
        typer.echo(f"  {number}. {point}")


def _report(refusals: tuple[Refusal, ...], as_document: bool) -> None:
    if as_document:
        listed = [
            {"serial": each.serial or None, "aspect": each.aspect, "sentence": each.sentence}
            for each in refusals
        ]
        typer.echo(json.dumps({"outcome": "REFUSED", "reasons": listed}, indent=2))
        return
    err.print("[bold red]nothing was shipped:[/]")
    for each in refusals:
        err.print(f"  {each.serial or 'all'} ({each.aspect}): {each.sentence}", markup=False)

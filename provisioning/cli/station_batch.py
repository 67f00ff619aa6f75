"""`firstboot station check-batch` and `rework`: what a person asks or decides after units were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from provisioning.cli.errors import err
from provisioning.cli.registry_options import By, Files, Place, Reason, opened
from provisioning.registry.decisions import hold, note_check
from provisioning.registry.errors import RegistryError
from provisioning.registry.models import LIVE, Unit
from provisioning.registry.registry import Registry
from provisioning.station.batch_check import BatchReport, Coded, check_codes
from provisioning.station.labels import LabelError, code_on_label
from provisioning.station.public_facts import batch_facts, unit_facts

BAD: Final = 1


def check_batch(
    registry: Place,
    batch: Annotated[str, typer.Option(help="The batch number.")],
    labels: Annotated[Path, typer.Option(help="Folder with the batch's label PNGs.")],
    files: Files = None,
    as_document: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Read every label of a batch and check that the set-up codes look random: no repeats, no pattern, no
    origin in public facts (PW-06 to PW-10).

    The result joins the registry's signed decisions: without one that saw every code, nothing of the batch is shipped.

    Exit codes: 0 nothing was found; 1 something was; 2 registry or labels cannot be used.
    """
    with opened(registry, files) as book:
        report = check_labels(book, batch, labels)
        note_check(book, batch, report.serials, [f"{found.rule}: {found.text}" for found in report.findings])
    if as_document:
        findings = [{"check": f.check, "rule": f.rule, "text": f.text} for f in report.findings]
        typer.echo(
            json.dumps(
                {
                    "codes": report.codes,
                    "findings": findings,
                    "not_made": report.not_made,
                    "candidates": report.candidates,
                }
            )
        )
    else:
        for finding in report.findings:
            err.print(f"{finding.rule}: {finding.text}", style="bold red", markup=False)
        for name in report.not_made:
            typer.echo(f"not checked: {name}")
        typer.echo(
            f"{report.codes} codes: {len(report.findings)} findings;"
            f" {report.candidates:,} values that they might follow from were tried"
        )
    if not report.is_good:
        raise typer.Exit(BAD)


def check_labels(book: Registry, batch: str, labels: Path) -> BatchReport:
    """Check the codes on the labels of a batch's units. Raises RegistryError for a label that cannot be read."""
    units = [unit for unit in book.units(batch) if unit.status in LIVE and unit.label_name is not None]
    if not units:
        raise RegistryError(f"batch {batch} has no labelled unit")
    by_serial = {unit.serial: unit for unit in units}
    shared = batch_facts(book, batch)
    coded = [Coded(unit.serial, (*shared, *unit_facts(unit)), _code(unit, labels)) for unit in units]
    return check_codes(coded, lambda entry: book.is_live_code(by_serial[entry.serial].id, entry.code))


def _code(unit: Unit, labels: Path) -> str:
    path = labels / str(unit.label_name)
    try:
        code = code_on_label(path)
    except (LabelError, OSError) as error:
        raise RegistryError(f"the label of {unit.serial} cannot be read: {error}") from None
    if code is None:
        raise RegistryError(f"the label of {unit.serial} shows no code")
    return code


def quarantine(
    serial: Annotated[str, typer.Argument(help="The unit's serial number.")],
    registry: Place,
    by: By,
    reason: Reason,
    files: Files = None,
) -> None:
    """Stop a unit, finished or not: its batch does not leave before the unit was reworked."""
    with opened(registry, files) as book:
        hold(book, serial, by=by, reason=reason)
    typer.echo(f"unit {serial} is in quarantine and its codes are burned; then: firstboot station rework")


def rework(
    serial: Annotated[str, typer.Argument(help="The unit's serial number.")],
    registry: Place,
    by: By,
    reason: Reason,
    files: Files = None,
) -> None:
    """Give a unit's identity up for good, so that its board can be provisioned anew under another serial."""
    with opened(registry, files) as book:
        unit = book.retire(serial, by=by, reason=reason)
    typer.echo(f"unit {serial} is retired and its codes are burned; destroy its label")
    if unit.passed_s is not None:
        typer.echo("it was released: it is revoked too, export to broker and CoAP server now")

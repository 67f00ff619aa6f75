"""`firstboot station show`: the units of a registry."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from device.records.support import date_text
from provisioning.cli.errors import InputError, printable
from provisioning.cli.options import FilesOption, JsonOption, RegistryOption
from provisioning.cli.output import print_json
from provisioning.cli.registry_access import opened
from provisioning.registry.models import Unit
from provisioning.registry.registry import Registry
from provisioning.registry.sale import is_for_sale, obstacle


def show(
    registry: RegistryOption,
    files: FilesOption = None,
    serial: Annotated[
        str | None, typer.Option("--serial", help="Show one unit and its provisioning steps.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Show the units of a registry, and check that its chain of production records is complete.

    Example: `firstboot station show --registry registry.db --serial FB1-000001`
    """
    with opened(registry, files) as source:
        records = source.verify_chain()
        units = [_facts(unit, source) for unit in source.units() if serial in (None, unit.serial)]
    if serial is not None and not units:
        raise InputError(f"There is no unit {serial} in the registry.")
    if is_json:
        print_json({"chain": "whole", "production_records": records, "units": units})
        return
    out = Console(highlight=False)
    out.print(_table(units))
    for unit in units if serial is not None else []:
        for phase in unit["phases"]:
            line = f"{phase['outcome']:8}{phase['name']:12} {phase['error'] or ''}"
            out.print(printable(line), markup=False)
    out.print(f"{records} production records; the chain is complete")


def _facts(unit: Unit, registry: Registry) -> dict[str, Any]:
    generated, live = registry.codes_generated(unit.id)
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
        "codes_generated": generated,
        "codes_live": live,
        "label": unit.label_name,
        "phases": [
            {"name": phase.name, "outcome": phase.outcome, "seconds": phase.seconds, "error": phase.error}
            for phase in registry.phases(unit.id)
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

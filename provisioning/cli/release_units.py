"""Shared by `firstboot release affected` and `firstboot release adoption`: options, units, reports, the curve."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioning.cli.errors import InputError
from provisioning.cli.options import FilesOption, JsonOption, LogOption, ProductOption
from provisioning.cli.registry_access import opened
from provisioning.cli.release_sign import DEFAULT_LOG
from provisioning.counted import counted
from provisioning.file_system import replace_file
from provisioning.servers.spread import SHARE, Spread
from provisioning.servers.spread_plot import svg
from provisioning.shared_store.places import is_database, reports_at

REPORTS: Final = typer.Option(
    "--reports",
    metavar="PLACE",
    help="The units' reports, which `firstboot serve` keeps: a file (`state/tracker-reports.jsonl`) or the database of"
    " `serve --database`.",
)
_DAY_S: Final = 86400


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitsSettings:
    """The options that both commands have. Each has `--registry` and `--reports` too; `adoption` requires them."""

    product: ProductOption
    files: FilesOption = None
    log: LogOption = DEFAULT_LOG
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Write the curve of the units as an SVG picture to this file."
        ),
    ] = None
    is_json: JsonOption = False


def units_of(place: str, files: Path | None, model: str) -> list[Any]:
    """Return the units of a model from the registry at `place`. Raises RegistryError, SourceError."""
    with opened(place, files) as registry:
        batches = {one.number for one in registry.batches() if one.model == model}
        return [unit for unit in registry.units() if unit.batch in batches]


def reports_of(place: str | None) -> Iterable[Mapping[str, Any]]:
    """Return the reports of a log or a server database, oldest first; nothing without one.

    Raises InputError for a file that is not there, SharedStoreError.
    """
    if place is None:
        return []
    if not is_database(place) and not Path(place).is_file():
        raise InputError(f"--reports: {place} is not a file.")
    return reports_at(place).entries()


def stock_lines(found: Spread, what: str) -> list[str]:
    """Return how many units of each batch are in stock, made with `what`; nothing without any."""
    if not found.stock:
        return []
    return [
        f"{counted(found.stock.total(), 'unit')} in stock were made with {what}: update before shipping",
        *(f"  batch {name}: {count} in stock" for name, count in sorted(found.stock.items())),
    ]


def curve_lines(found: Spread, what: str) -> list[str]:
    """Return the figures of the curve for a person. `what`: of which units, and what they have."""
    until_s = found.time_to(SHARE)
    reached = "not reached" if until_s is None else f"after {until_s / _DAY_S:.1f} days"
    return [
        f"{found.fixed} of {found.needing} {what}; {found.silent} never reported",
        f"{SHARE:.0%} of them: {reached}",
    ]


def curve_document(found: Spread) -> dict[str, Any]:
    """Return the figures of the curve for a program."""
    return {
        "silent": found.silent,
        "in_stock": found.stock.total(),
        "in_stock_by_batch": dict(sorted(found.stock.items())),
        "seconds_to_95_percent": found.time_to(SHARE),
        "seconds_to_newest_report": found.until_s,
        "curve": found.curve(),
    }


def write_plot(path: Path, found: Spread, title: str) -> None:
    """Write the curve as an SVG picture. Raises OSError."""
    replace_file(path, svg(found, title).encode())

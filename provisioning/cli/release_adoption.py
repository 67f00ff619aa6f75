"""`firstboot release adoption`: how many units of a class have a release, and how long 95 % of them took (UP-08)."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Final

import typer

from provisioning.cli.addresses import registry_place
from provisioning.cli.errors import InputError
from provisioning.cli.options import RegistryOption
from provisioning.cli.output import print_report
from provisioning.cli.release_units import (
    REPORTS,
    UnitsSettings,
    curve_document,
    curve_lines,
    reports_of,
    stock_lines,
    units_of,
    write_plot,
)
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.product.product import load_product
from provisioning.release.affected import Releases, of_class
from provisioning.release.log import LogEntry, ReleaseLog
from provisioning.servers.spread import Spread, spread

NEWEST: Final = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdoptionSettings(UnitsSettings):
    """The options of `firstboot release adoption`."""

    registry: RegistryOption
    reports: Annotated[str, REPORTS, RelativeText(registry_place)]
    release: Annotated[
        int,
        typer.Option("--release", metavar="N", min=0, help="Sequence number of the release. 0: the newest."),
    ] = NEWEST


@with_settings(AdoptionSettings, "release.adoption")
def adoption_command(settings: AdoptionSettings) -> None:
    """Print how many units that were made with an older release report this one or a newer one.

    The time to 95 % counts from the moment at which the release was signed. A unit that was shipped and never reported
    counts as one without the release. Units in stock, which neither were shipped nor reported, are counted apart.
    `--plot` writes the curve as a picture.

    Example: `firstboot release adoption --product product.toml --registry registry.db
    --reports state/tracker-reports.jsonl --plot adoption.svg`
    """
    product = load_product(settings.product)
    entries = of_class(ReleaseLog(settings.log).entries(), product.class_id)
    release = _release(entries, settings.release)
    found = _spread(settings, product.model, entries, release)
    if settings.plot is not None:
        write_plot(settings.plot, found, f"Units of {product.model} with release {release.version} or newer")
    lines = [
        f"release: {release.version} (release {release.sequence_number}), signed {release.signed_at}",
        *stock_lines(found, "an older release"),
        *curve_lines(found, "units that need it have it"),
    ]
    print_report(lines, _document(release, found), settings.is_json)


def _release(entries: list[LogEntry], number: int) -> LogEntry:
    """Return the wanted release of a class. Raises InputError if the log does not have it."""
    if not entries:
        raise InputError("The release log has no release of this product.")
    found = [one for one in entries if number in (NEWEST, one.sequence_number)]
    if not found:
        known = ", ".join(str(one.sequence_number) for one in entries)
        raise InputError(f"The release log has no release {number} of this product; it has {known}.")
    return found[-1]


def _spread(settings: AdoptionSettings, model: str, entries: list[LogEntry], release: LogEntry) -> Spread:
    units = units_of(settings.registry, settings.files, model)
    new = {one.version for one in entries if one.sequence_number >= release.sequence_number}
    old = {one.version for one in entries} | {unit.version or "" for unit in units}
    return spread(
        units,
        reports_of(settings.reports),
        affected=old - new,
        fixed=new,
        fixed_s=Releases((), (), (release,)).fix_s,
        confirmed={one.sequence_number: one.version for one in entries},
    )


def _document(release: LogEntry, found: Spread) -> dict[str, Any]:
    return {
        "version": release.version,
        "sequence_number": release.sequence_number,
        "signed_at": release.signed_at,
        "needing_release": found.needing,
        "with_release": found.fixed,
        **curve_document(found),
    }

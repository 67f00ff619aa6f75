"""`firstboot release affected`: the images, batches and units that a vulnerability affects, and how far a fix came."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioning.cli.addresses import registry_place
from provisioning.cli.errors import InputError
from provisioning.cli.one_line import one_line
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
from provisioning.counted import counted
from provisioning.csaf_names import CVE
from provisioning.product.product import Product, load_product
from provisioning.release.affected import (
    Releases,
    Verdict,
    by_component,
    by_cve,
    of_class,
    read_bills,
    sorted_out,
)
from provisioning.release.log import LogEntry, ReleaseLog
from provisioning.servers.spread import Spread, serial_lines, spread

_MOST_SERIALS: Final = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class AffectedSettings(UnitsSettings):
    """The options of `firstboot release affected`: what to look for and where, and the units if they are to count."""

    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            callback=one_line("version"),
            help="A CVE of your advisories (CVE-2026-12345), or a component, with its version or without (lwip@2.2.1).",
        ),
    ]
    bills: Annotated[
        Path | None,
        typer.Option(
            "--bills", metavar="DIR", help="Folder with the releases, whose bills of materials are read."
        ),
    ] = None
    advisories: Annotated[
        Path | None,
        typer.Option(
            "--advisories", metavar="DIR", help="Folder of `firstboot advisory build`. A CVE needs it."
        ),
    ] = None
    registry: Annotated[
        str | None,
        typer.Option("--registry", metavar="PLACE", help="The registry: counts batches and units."),
        RelativeText(registry_place),
    ] = None
    reports: Annotated[str | None, REPORTS, RelativeText(registry_place)] = None


@with_settings(AffectedSettings, "release.affected")
def affected_command(settings: AffectedSettings) -> None:
    """Print which releases a vulnerability affects, which units run them, and how many units have the fix.

    The time to 95 % counts from the moment at which the fix was signed until 95 % of the units that need it have
    reported it. A unit that was shipped and never reported counts as one without the fix. Units in stock, which neither
    were shipped nor reported, are counted apart.

    Example: `firstboot release affected lwip@2.2.1 --product product.toml --bills releases --registry registry.db
    --reports state/tracker-reports.jsonl`
    """
    product = load_product(settings.product)
    entries = of_class(ReleaseLog(settings.log).entries(), product.class_id)
    if settings.plot is not None and settings.registry is None:
        raise InputError("--plot needs --registry: the curve counts units.")
    releases = sorted_out(entries, _verdict(settings, product, entries))
    found = None if settings.registry is None else _spread(settings, product, entries, releases)
    document = _document(settings.what, releases, found)
    if found is not None and settings.plot is not None:
        if releases.fix is None:
            raise InputError("--plot: no release has the fix, so there is no curve yet.")
        write_plot(
            settings.plot, found, f"Units with release {releases.fix.version}, which fixes {settings.what}"
        )
    print_report(_lines(releases, found), document, settings.is_json)


def _verdict(settings: AffectedSettings, product: Product, entries: list[LogEntry]) -> Verdict:
    if CVE.fullmatch(settings.what):
        if settings.advisories is None:
            raise InputError("A CVE needs --advisories: give the folder of `firstboot advisory build`.")
        return by_cve(settings.advisories, settings.what, product.model, entries)
    if settings.bills is None:
        raise InputError("A component needs --bills: give the folder with the releases.")
    name, _, version = settings.what.partition("@")
    return by_component(read_bills(settings.bills), name, version)


def _spread(
    settings: AffectedSettings, product: Product, entries: list[LogEntry], releases: Releases
) -> Spread:
    affected = {one.version for one in releases.affected}
    return spread(
        units_of(settings.registry or "", settings.files, product.model),
        reports_of(settings.reports),
        affected=affected,
        fixed={one.version for one in releases.fixed} - affected,
        fixed_s=releases.fix_s,
        confirmed={one.sequence_number: one.version for one in entries},
    )


def _lines(releases: Releases, found: Spread | None) -> list[str]:
    lines = [f"affected: {_names(releases.affected) or 'no release'}"]
    if releases.unknown:
        lines.append(f"unknown: {_names(releases.unknown)}")
    fix = releases.fix
    if fix is not None:
        lines.append(f"fix: {fix.version}, signed {fix.signed_at}")
    elif releases.affected:
        lines.append("no release with a fix")
    if found is None:
        return lines
    lines.append(f"{counted(len(found.serials), 'unit')} in the field with an affected version")
    lines += [f"  batch {name}: {count}" for name, count in sorted(found.batches.items())]
    lines += serial_lines(found.serials, _MOST_SERIALS)
    return [
        *lines,
        *stock_lines(found, "an affected version"),
        *curve_lines(found, "units that need the fix have it"),
    ]


def _names(entries: tuple[LogEntry, ...]) -> str:
    return ", ".join(f"{one.version} (release {one.sequence_number})" for one in entries)


def _document(what: str, releases: Releases, found: Spread | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "what": what,
        "affected": [_release(one) for one in releases.affected],
        "unknown": [_release(one) for one in releases.unknown],
        "fix": None if releases.fix is None else _release(releases.fix),
        "units": None,
    }
    if found is not None:
        document["units"] = {
            "running_affected": len(found.serials),
            "by_version": dict(sorted(found.running.items())),
            "by_batch": dict(sorted(found.batches.items())),
            "serials": found.serials,
            "needing_fix": found.needing,
            "with_fix": found.fixed,
            **curve_document(found),
        }
    return document


def _release(one: LogEntry) -> dict[str, Any]:
    return {
        "version": one.version,
        "sequence_number": one.sequence_number,
        "payload_sha256": one.payload_sha256,
        "sbom_sha256": one.sbom_sha256,
    }

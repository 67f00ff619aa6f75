"""`firstboot release affected`: the images, batches and units that a vulnerability affects, and how far a fix came."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from provisioning.cli.addresses import registry_place
from provisioning.cli.errors import InputError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import JsonOption, LogOption, ProductOption
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.release_sign import DEFAULT_LOG
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.csaf_names import CVE
from provisioning.product.product import Product, load_product
from provisioning.registry.registry import Registry
from provisioning.registry.spread import SHARE, Spread, serial_lines, spread
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
from provisioning.servers.report_log import ReportLog

_MOST_SERIALS: Final = 20
_DAY_S: Final = 86400


@dataclasses.dataclass(frozen=True, kw_only=True)
class AffectedSettings:
    """The options of `firstboot release affected`."""

    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            callback=one_line("version"),
            help="A CVE of your advisories (CVE-2026-12345), or a component, with its version or without (lwip@2.2.1).",
        ),
    ]
    product: ProductOption
    log: LogOption = DEFAULT_LOG
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
    files: Annotated[
        Path | None,
        typer.Option(
            "--files", metavar="DIR", help="Folder of the registry's key files. PostgreSQL needs it."
        ),
    ] = None
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports",
            metavar="FILE",
            help="The units' reports, which `firstboot serve` keeps (`state/tracker-reports.jsonl`).",
            exists=True,
            dir_okay=False,
        ),
    ] = None
    is_json: JsonOption = False


@with_settings(AffectedSettings, "release.affected")
def affected_command(settings: AffectedSettings) -> None:
    """Print which releases a vulnerability affects, which units run them, and how many units have the fix.

    The time to 95 % counts from the moment at which the fix was signed until 95 % of the units that need it have
    reported it. A unit that never reported counts as one without the fix.

    Example: `firstboot release affected lwip@2.2.1 --product product.toml --bills releases --registry registry.db
    --reports state/tracker-reports.jsonl`
    """
    product = load_product(settings.product)
    entries = of_class(ReleaseLog(settings.log).entries(), product.class_id)
    releases = sorted_out(entries, _verdict(settings, product, entries))
    found = None if settings.registry is None else _spread(settings, product, entries, releases)
    print_report(_lines(releases, found), _document(settings.what, releases, found), settings.is_json)


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
    with opened(settings.registry or "", settings.files) as registry:
        units = _units(registry, product.model)
    affected = {one.version for one in releases.affected}
    reports = [] if settings.reports is None else ReportLog(settings.reports).entries()
    return spread(
        units,
        reports,
        affected=affected,
        fixed={one.version for one in releases.fixed} - affected,
        fixed_s=releases.fix_s,
        confirmed={one.sequence_number: one.version for one in entries},
    )


def _units(registry: Registry, model: str) -> list[Any]:
    batches = {one.number for one in registry.batches() if one.model == model}
    return [unit for unit in registry.units() if unit.batch in batches]


def _lines(releases: Releases, found: Spread | None) -> list[str]:
    lines = [f"affected: {_names(releases.affected) or 'no release'}"]
    if releases.unknown:
        lines.append(f"unknown: {_names(releases.unknown)}")
    fix = releases.fix
    lines.append("no release with a fix" if fix is None else f"fix: {fix.version}, signed {fix.signed_at}")
    if found is None:
        return lines
    lines.append(f"{len(found.serials)} units run an affected version")
    lines += [f"  batch {name}: {count}" for name, count in sorted(found.batches.items())]
    lines += serial_lines(found.serials, _MOST_SERIALS)
    lines.append(
        f"{found.fixed} of {found.needing} units that need the fix have it; {found.silent} never reported"
    )
    until_s = found.time_to(SHARE)
    lines.append(
        f"{SHARE:.0%} of them: "
        + ("not reached" if until_s is None else f"after {until_s / _DAY_S:.1f} days")
    )
    return lines


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
            "silent": found.silent,
            "seconds_to_95_percent": found.time_to(SHARE),
            "curve": found.curve(),
        }
    return document


def _release(one: LogEntry) -> dict[str, Any]:
    return {
        "version": one.version,
        "sequence_number": one.sequence_number,
        "payload_sha256": one.payload_sha256,
        "sbom_sha256": one.sbom_sha256,
    }

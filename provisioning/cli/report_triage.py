"""`firstboot report triage`: what is affected, how severe it is, and on what evidence."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.addresses import registry_place
from provisioning.cli.one_line import lines, one_line
from provisioning.cli.options import ByOption, FilesOption, JsonOption, ReasonOption
from provisioning.cli.registry_access import opened as opened_registry
from provisioning.cli.report_access import CaseArgument, CasesOption, SeenOption, opened
from provisioning.cli.report_decide import done, seen_version
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.disclosure import desk
from provisioning.disclosure.affected import affected
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.severity import severity
from provisioning.disclosure.states import Step
from provisioning.disclosure.weaknesses import weakness


@dataclasses.dataclass(frozen=True)
class TriageSettings:
    """The options of `firstboot report triage`."""

    case: CaseArgument
    cases: CasesOption
    by: ByOption
    reason: ReasonOption
    title: Annotated[
        str,
        typer.Option(
            "--title", metavar="TEXT", callback=one_line("reason"), help="Your title, without personal data."
        ),
    ]
    cvss: Annotated[
        str | None, typer.Option("--cvss", metavar="VECTOR", help="Severity: a CVSS 4.0 vector.")
    ] = None
    cwe: Annotated[
        str | None,
        typer.Option(
            "--cwe",
            metavar="CWE",
            callback=one_line("reason"),
            help="Kind of weakness: CWE-787, or CWE-1234: NAME.",
        ),
    ] = None
    registry: Annotated[
        str | None,
        typer.Option("--registry", metavar="PLACE", help="The registry: counts the affected units."),
        RelativeText(registry_place),
    ] = None
    registry_files: Annotated[
        Path | None,
        typer.Option(
            "--registry-files", metavar="DIR", help="Folder of the registry's key files, for PostgreSQL."
        ),
    ] = None
    batch: Annotated[
        list[str] | None,
        typer.Option(
            "--batch", metavar="BATCH", callback=lines("batch"), help="An affected batch; may be repeated."
        ),
    ] = None
    version: Annotated[
        list[str] | None,
        typer.Option(
            "--version",
            metavar="TEXT",
            callback=lines("version"),
            help="An affected version; may be repeated.",
        ),
    ] = None
    seen: SeenOption = None
    files: FilesOption = None
    is_json: JsonOption = False


@with_settings(TriageSettings, "report.triage")
def triage(settings: TriageSettings) -> None:
    """Record what a report affects and how severe it is. --reason is the evidence. Reporters get no notice of it.

    With --registry, the units of the named batches and versions are counted; a batch that it does not have is refused.

    Example: `firstboot report triage SR-2026-0001 --cases reports.db --by "E. E." --title "Reset" --reason "log 4"`
    """
    facts: dict[str, Any] = {
        "title": settings.title,
        "batches": list(settings.batch or []),
        "versions": list(settings.version or []),
    }
    if settings.cvss is not None:
        found = severity(settings.cvss)
        facts |= {"cvss": found.vector, "score": found.score, "rating": found.rating}
    if settings.cwe is not None:
        facts["cwe"] = weakness(settings.cwe)
    if settings.registry is not None:
        with opened_registry(settings.registry, settings.registry_files) as registry:
            facts["affected"] = affected(registry, facts["batches"], facts["versions"])
    with opened(settings.cases, settings.files) as store:
        decision = Decision(
            settings.by, seen_version(store, settings.case, settings.seen), reason=settings.reason
        )
        done(store, desk.decide(store, settings.case, Step.TRIAGE, decision, facts), settings.is_json)

"""`firstboot report embargo`, `aware`, `worksheet` and `filed`: secrecy, and the reporting times of CRA Article 14."""

from __future__ import annotations

import dataclasses
import datetime as dt
from enum import StrEnum
from typing import Annotated

import typer

from provisioning.cli.errors import InputError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import ByOption, FilesOption, JsonOption, ProductOption, ReasonOption
from provisioning.cli.output import print_report
from provisioning.cli.report_access import CaseArgument, CasesOption, MomentOption, SeenOption, moment, opened
from provisioning.cli.report_decide import done, seen_version
from provisioning.cli.settings import with_settings
from provisioning.disclosure import clocks, desk
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.worksheets import worksheet as make_worksheet
from provisioning.product.product import load_product


class Duty(StrEnum):
    """The duties of CRA Article 14."""

    EXPLOITED = clocks.EXPLOITED
    INCIDENT = clocks.INCIDENT


class Stage(StrEnum):
    """The reports of CRA Article 14, in their order."""

    EARLY_WARNING = "early-warning"
    NOTIFICATION = "notification"
    FINAL_REPORT = "final-report"

    @property
    def words(self) -> str:
        """Return the name that the log has."""
        return self.value.replace("-", " ")


DutyOption = Annotated[
    Duty,
    typer.Option(
        "--duty", help="exploited: an actively exploited vulnerability; incident: a severe incident."
    ),
]
StageOption = Annotated[Stage, typer.Option("--stage", help="Which report.")]


def embargo(
    case: CaseArgument,
    cases: CasesOption,
    by: ByOption,
    reason: ReasonOption,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="The agreed last day, like 2027-03-01.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="End the embargo now.")] = False,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Record until when a case stays secret, or end its embargo. Every case begins under embargo.

    A date ends nothing by itself: `publish` or --lift does.

    Example: `firstboot report embargo SR-2026-0001 --cases reports.db --until 2027-03-01 --by "E. E." --reason agreed`
    """
    if (until is None) != lift:
        raise InputError("Give one of --until and --lift.")
    if until is not None:
        _require_date(until)
    with opened(cases, files) as store:
        decision = Decision(by, seen_version(store, case, None), reason=reason)
        done(store, desk.record_embargo(store, case, until or "", lift, decision), is_json)


def _require_date(text: str) -> None:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--until: {text!r} is not a date like 2027-03-01.") from None


@dataclasses.dataclass(frozen=True)
class AwareSettings:
    """The options of `firstboot report aware`."""

    case: CaseArgument
    cases: CasesOption
    by: ByOption
    reason: ReasonOption
    duty: DutyOption
    at: Annotated[str | None, MomentOption] = None
    seen: SeenOption = None
    files: FilesOption = None
    is_json: JsonOption = False


@with_settings(AwareSettings, "report.aware")
def aware(settings: AwareSettings) -> None:
    """Record when you became aware of active exploitation or of a severe incident. --reason is the evidence.

    From then on the times of CRA Article 14 run: 24 hours, 72 hours, and the final report. Weekends count.

    Example: `firstboot report aware SR-2026-0001 --cases reports.db --duty exploited --by "E. E." --reason "log 7"`
    """
    with opened(settings.cases, settings.files) as store:
        at_s = moment(settings.at)
        decision = Decision(
            settings.by, seen_version(store, settings.case, settings.seen), reason=settings.reason
        )
        found = desk.record_awareness(
            store, settings.case, settings.duty.value, store.now() if at_s is None else at_s, decision
        )
        done(store, found, settings.is_json)


def worksheet(
    case: CaseArgument,
    cases: CasesOption,
    product: ProductOption,
    duty: DutyOption,
    stage: StageOption,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Print the worksheet of a CRA report: known fields are filled in, the others are marked. Nothing is filed.

    Example: `firstboot report worksheet SR-2026-0001 --cases reports.db --product product.toml --duty exploited --stage
    early-warning`
    """
    definition = load_product(product)
    with opened(cases, files) as store:
        found = make_worksheet(desk.load(store, case), definition, duty.value, stage.words)
    print_report(found.lines(), found.document(), is_json)


@dataclasses.dataclass(frozen=True)
class FiledSettings:
    """The options of `firstboot report filed`."""

    case: CaseArgument
    cases: CasesOption
    by: ByOption
    duty: DutyOption
    stage: StageOption
    reference: Annotated[
        str,
        typer.Option(
            "--reference", metavar="TEXT", callback=one_line("reason"), help="The platform's reference."
        ),
    ]
    at: Annotated[str | None, MomentOption] = None
    seen: SeenOption = None
    files: FilesOption = None
    is_json: JsonOption = False


@with_settings(FiledSettings, "report.filed")
def filed(settings: FiledSettings) -> None:
    """Record that a person filed a CRA report: when, and under which reference.

    Example: `firstboot report filed SR-2026-0001 --cases reports.db --duty exploited --stage early-warning --reference
    R1 --by "E. E."`
    """
    with opened(settings.cases, settings.files) as store:
        at_s = moment(settings.at)
        decision = Decision(settings.by, seen_version(store, settings.case, settings.seen))
        filing = (store.now() if at_s is None else at_s, settings.reference)
        found = desk.record_filing(
            store, settings.case, settings.duty.value, settings.stage.words, filing, decision
        )
        done(store, found, settings.is_json)

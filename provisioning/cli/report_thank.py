"""`firstboot report thank`: name a reporter in the advisory, if they agreed."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from provisioning.cli.errors import InputError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import ByOption, FilesOption, JsonOption, ReasonOption
from provisioning.cli.report_access import CaseArgument, CasesOption, SeenOption, opened
from provisioning.cli.report_decide import done, seen_version
from provisioning.cli.settings import with_settings
from provisioning.disclosure import desk, thanks
from provisioning.disclosure.desk import Decision


@dataclasses.dataclass(frozen=True)
class ThankSettings:
    """The options of `firstboot report thank`."""

    case: CaseArgument
    cases: CasesOption
    by: ByOption
    reason: ReasonOption
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", callback=one_line("person"), help="The name that the reporter chose."
        ),
    ] = None
    withdraw: Annotated[bool, typer.Option("--withdraw", help="The reporter does not agree any more.")] = (
        False
    )
    reporter: Annotated[
        str | None,
        typer.Option(
            "--reporter",
            metavar="ID",
            help="The reporter, from `firstboot report show`. Default: the only one.",
        ),
    ] = None
    seen: SeenOption = None
    files: FilesOption = None
    is_json: JsonOption = False


@with_settings(ThankSettings, "report.thank")
def thank(settings: ThankSettings) -> None:
    """Record that a reporter agreed to be thanked in the advisory, by the name that they chose. --reason: how you know.

    Without this record nobody is named. A reporter without an address stays anonymous.

    Example: `firstboot report thank SR-2026-0001 --cases reports.db --name "Ada L." --by "E. E." --reason "her mail"`
    """
    if (settings.name is None) != settings.withdraw:
        raise InputError("Give --name or --withdraw.")
    with opened(settings.cases, settings.files) as store:
        version = seen_version(store, settings.case, settings.seen)
        found = list(desk.load(store, settings.case).reporters)
        if settings.reporter is None and len(found) != 1:
            raise InputError(f"--reporter: case {settings.case} has {len(found)} reporters, so name one.")
        reporter, name = settings.reporter or found[0], settings.name or ""
        decision = Decision(settings.by, version, reason=settings.reason)
        done(store, thanks.record(store, settings.case, reporter, name, decision), settings.is_json)

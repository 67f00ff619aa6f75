"""The decisions about a case, from `firstboot report acknowledge` to `close`, and the notices that they queue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.one_line import one_line
from provisioning.cli.options import ByOption, FilesOption, JsonOption, ReasonOption
from provisioning.cli.output import print_report
from provisioning.cli.report_access import (
    CaseArgument,
    CasesOption,
    MessageOption,
    SeenOption,
    opened,
    text_from,
)
from provisioning.cli.report_texts import case_document
from provisioning.disclosure import desk
from provisioning.disclosure.case import Case
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.states import Step
from provisioning.disclosure.store import CaseStore


def acknowledge(
    case: CaseArgument,
    cases: CasesOption,
    by: ByOption,
    message: MessageOption = None,
    seen: SeenOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Acknowledge a report: its reporter gets a notice that it came and when the next news comes.

    Example: `firstboot report acknowledge SR-2026-0001 --cases reports.db --by "E. Example"`
    """
    with opened(cases, files) as store:
        decision = Decision(by, seen_version(store, case, seen), text_from(message))
        done(store, desk.decide(store, case, Step.ACKNOWLEDGE, decision), is_json)


def discard(
    case: CaseArgument,
    cases: CasesOption,
    by: ByOption,
    reason: ReasonOption,
    seen: SeenOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """End a case that is not about a security issue, such as spam. Nobody gets a notice; it can be opened again.

    Example: `firstboot report discard SR-2026-0001 --cases reports.db --by "E. Example" --reason "advertising"`
    """
    with opened(cases, files) as store:
        decision = Decision(by, seen_version(store, case, seen), reason=reason)
        done(store, desk.decide(store, case, Step.DISCARD, decision), is_json)


def confirm(
    case: CaseArgument,
    cases: CasesOption,
    by: ByOption,
    reason: ReasonOption,
    message: MessageOption = None,
    seen: SeenOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Confirm that the report is a security issue of the product. --reason is the evidence.

    Example: `firstboot report confirm SR-2026-0001 --cases reports.db --by "E. Example" --reason "seen on TS1-000004"`
    """
    _with_reason(Step.CONFIRM, case, cases, (by, reason), message, seen, files, is_json)


def reject(
    case: CaseArgument,
    cases: CasesOption,
    by: ByOption,
    reason: ReasonOption,
    message: MessageOption = None,
    seen: SeenOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Decide that the report is not a security issue of the product. --reason is the evidence.

    Example: `firstboot report reject SR-2026-0001 --cases reports.db --by "E. Example" --reason "not our product"`
    """
    _with_reason(Step.REJECT, case, cases, (by, reason), message, seen, files, is_json)


def send_update(
    case: CaseArgument,
    cases: CasesOption,
    by: ByOption,
    message: Annotated[
        str, typer.Option("--message", metavar="FILE", help="The news: a text file, or - to type it.")
    ],
    seen: SeenOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Queue a status update to every reporter of a case.

    Example: `firstboot report update SR-2026-0001 --cases reports.db --by "E. Example" --message news.txt`
    """
    with opened(cases, files) as store:
        decision = Decision(by, seen_version(store, case, seen), text_from(message))
        done(store, desk.update(store, case, decision), is_json)


def resolve(
    case: CaseArgument,
    cases: CasesOption,
    by: ByOption,
    release: Annotated[
        str,
        typer.Option(
            "--release", metavar="TEXT", callback=one_line("version"), help="The release with the fix."
        ),
    ],
    message: MessageOption = None,
    seen: SeenOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Record that a fix is available to users. The final report of CRA Art. 14 is due 14 days later, if one is owed.

    Example: `firstboot report resolve SR-2026-0001 --cases reports.db --by "E. Example" --release 1.2.1`
    """
    with opened(cases, files) as store:
        decision = Decision(by, seen_version(store, case, seen), text_from(message))
        done(store, desk.decide(store, case, Step.RESOLVE, decision, {"release": release}), is_json)


def publish(
    case: CaseArgument,
    cases: CasesOption,
    by: ByOption,
    link: Annotated[
        str, typer.Option("--link", metavar="ADDRESS", help="The https address of your advisory.")
    ],
    message: MessageOption = None,
    seen: SeenOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Record that the advisory is public. This ends the embargo, and reporters get its address.

    Example: `firstboot report publish SR-2026-0001 --cases reports.db --by "E. E." --link https://example.com/a/1`
    """
    desk.require_link(link)
    with opened(cases, files) as store:
        decision = Decision(by, seen_version(store, case, seen), text_from(message), link=link)
        done(store, desk.decide(store, case, Step.PUBLISH, decision), is_json)


def close(
    case: CaseArgument,
    cases: CasesOption,
    by: ByOption,
    reason: ReasonOption,
    message: MessageOption = None,
    seen: SeenOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Close a case: its reporters get the last notice.

    Example: `firstboot report close SR-2026-0001 --cases reports.db --by "E. Example" --reason "fixed and published"`
    """
    _with_reason(Step.CLOSE, case, cases, (by, reason), message, seen, files, is_json)


def reopen(
    case: CaseArgument,
    cases: CasesOption,
    by: ByOption,
    reason: ReasonOption,
    seen: SeenOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Open a closed or discarded case again.

    Example: `firstboot report reopen SR-2026-0001 --cases reports.db --by "E. Example" --reason "it still happens"`
    """
    _with_reason(Step.REOPEN, case, cases, (by, reason), None, seen, files, is_json)


def merge_cases(
    case: CaseArgument,
    cases: CasesOption,
    into: Annotated[str, typer.Option("--into", metavar="CASE", help="The case that continues.")],
    by: ByOption,
    message: MessageOption = None,
    seen: SeenOption = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Merge a case into another one about the same problem. The reporters of both get a notice.

    Example: `firstboot report merge SR-2026-0002 --into SR-2026-0001 --cases reports.db --by "E. Example"`
    """
    with opened(cases, files) as store:
        decision = Decision(by, seen_version(store, case, seen), text_from(message))
        done(store, desk.merge(store, case, into, decision), is_json)


def _with_reason(
    step: Step,
    case: str,
    cases: str,
    who: tuple[str, str],
    message: str | None,
    seen: int | None,
    files: Path | None,
    is_json: bool,
) -> None:
    with opened(cases, files) as store:
        decision = Decision(who[0], seen_version(store, case, seen), text_from(message), who[1])
        done(store, desk.decide(store, case, step, decision), is_json)


def seen_version(store: CaseStore, case: str, seen: int | None) -> int:
    """Return the version that the person read: the one given, or the one of this moment."""
    return desk.load(store, case).version if seen is None else seen


def done(store: CaseStore, case: Case, is_json: bool) -> None:
    """Print the case after a decision, and what is sent next."""
    document: dict[str, Any] = case_document(case, store.now())
    waiting = sum(notice.status == "queued" for notice in case.notices.values())
    lines = [f"case {case.code} is {case.state}, version {case.version}"]
    if waiting:
        lines.append(
            f"{waiting} {'notice waits' if waiting == 1 else 'notices wait'} for `firstboot report send`"
        )
    print_report(lines, document, is_json)

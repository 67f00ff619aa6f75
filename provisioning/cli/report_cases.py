"""`firstboot report add`, `list` and `show`."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any

import typer
from sqlalchemy import select

from provisioning.cli.errors import InputError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import ByOption, FilesOption, JsonOption
from provisioning.cli.output import print_report, print_result
from provisioning.cli.report_access import CaseArgument, CasesOption, MomentOption, moment, opened, text_from
from provisioning.cli.report_texts import case_document, case_line, case_rows, time_text
from provisioning.cli.settings import with_settings
from provisioning.disclosure import desk, reception, states
from provisioning.disclosure.case import THANKS
from provisioning.disclosure.models import Message, Outgoing, Reporter
from provisioning.disclosure.store import CaseStore


@dataclasses.dataclass(frozen=True)
class AddSettings:
    """The options of `firstboot report add`."""

    cases: CasesOption
    message: Annotated[
        str,
        typer.Option("--message", metavar="FILE", help="What the reporter wrote or said: a text file, or -."),
    ]
    by: ByOption
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="ADDRESS", help="The reporter's mail address. Default: anonymous."),
    ] = None
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", callback=one_line("person"), help="The reporter's name, if given."
        ),
    ] = None
    case: Annotated[
        str | None,
        typer.Option("--case", metavar="CASE", help="Add to this case, as a message of its first reporter."),
    ] = None
    at: Annotated[str | None, MomentOption] = None
    files: FilesOption = None
    is_json: JsonOption = False


@with_settings(AddSettings, "report.add")
def add(settings: AddSettings) -> None:
    """Record a report that came by hand: by telephone, by letter, at a fair.

    An anonymous reporter gets a token. It is printed once; read it to the reporter.

    Example: `firstboot report add --cases reports.db --message report.txt --address ada@example.com --by "E. Example"`
    """
    text = text_from(settings.message, reception.LONGEST_TEXT)
    if not text:
        raise InputError("--message: the text is empty.")
    with opened(settings.cases, settings.files) as store:
        reporter = None
        if settings.case is not None:
            reporter = next(iter(desk.load(store, settings.case).reporters), None)
            if reporter is None:
                raise InputError(f"--case: the reporters of {settings.case} are erased.")
        receipt = reception.receive(
            store,
            reception.Incoming(
                reception.HAND,
                text,
                address=settings.address,
                name=settings.name,
                received_s=moment(settings.at),
                reporter=reporter,
            ),
        )
    lines = [f"{'new case' if receipt.is_new_case else 'added to case'} {receipt.case}"]
    if receipt.token is not None:
        lines.append(f"The reporter's token: {receipt.token}")
    document = {
        "case": receipt.case,
        "reporter": receipt.reporter,
        "is_new_case": receipt.is_new_case,
        "token": receipt.token,
    }
    print_report(lines, document, settings.is_json)


def list_cases(
    cases: CasesOption,
    with_ended: Annotated[bool, typer.Option("--all", help="List ended cases too.")] = False,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """List the open cases: state, title and what is due next.

    Example: `firstboot report list --cases reports.db`
    """
    with opened(cases, files) as store:
        found, now_s = desk.load_all(store), store.now()
    chosen = [case for case in found.values() if with_ended or states.is_open(case.state)]
    lines = [case_line(case, now_s) for case in chosen]
    print_report(lines or ["no open case"], [case_document(case, now_s) for case in chosen], is_json)


def show(
    case: CaseArgument,
    cases: CasesOption,
    with_words: Annotated[
        bool, typer.Option("--words", help="Print every message and notice, with the reporters' addresses.")
    ] = False,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Show a case: its version and state, what is due, and what is possible next.

    Example: `firstboot report show SR-2026-0001 --cases reports.db --words`
    """
    with opened(cases, files) as store:
        found, now_s = desk.load(store, case), store.now()
        words = _words(store, case) if with_words else []
    document = case_document(found, now_s)
    if with_words:
        document["words"] = words
    if is_json or not words:
        print_result(case_rows(found, now_s), document, is_json)
        return
    print_result(case_rows(found, now_s), document, is_json)
    for each in words:
        way = (
            f"{'from' if each['is_incoming'] else 'to'} {each['address'] or 'anonymous'} ({each['reporter']})"
        )
        print_report(
            ["", f"--- {time_text(each['time_s'])}  {way}", *str(each["text"]).splitlines()], None, False
        )
        for one in each["attachments"]:
            print_report(
                [f"    attachment in quarantine: {one['sha256']}  {one['bytes']} bytes  {one['name']}"],
                None,
                False,
            )


def _words(store: CaseStore, code: str) -> list[dict[str, Any]]:
    names = {
        event.facts.get("digest") for event in desk.load(store, code).events if event.kind == THANKS
    }  # they are rows of their own
    with store.reading() as session:
        addresses = {row.id: row.address for row in session.scalars(select(Reporter))}
        found = [
            _entry(
                row.received_s,
                row.reporter,
                addresses,
                row.text,
                json.loads(row.attachments),
                is_incoming=True,
            )
            for row in session.scalars(select(Message).where(Message.case_code == code))
            if row.digest.hex() not in names
        ]
        found += [
            _entry(row.queued_s, row.reporter, addresses, row.text, [], is_incoming=False)
            for row in session.scalars(select(Outgoing).where(Outgoing.case_code == code))
        ]
    return sorted(found, key=lambda each: each["time_s"])


def _entry(
    time_s: int,
    reporter: str,
    addresses: dict[str, str | None],
    text: str | None,
    attachments: list[Any],
    *,
    is_incoming: bool,
) -> dict[str, Any]:
    return {
        "time_s": time_s,
        "is_incoming": is_incoming,
        "reporter": reporter,
        "address": addresses.get(reporter),
        "text": "(erased)" if text is None else text,
        "attachments": attachments,
    }

"""`firstboot report due`: what has to be done, with an exit code for cron."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from provisioning.cli.errors import RefusedError
from provisioning.cli.options import FilesOption, JsonOption
from provisioning.cli.output import print_report
from provisioning.cli.report_access import CasesOption, opened
from provisioning.cli.report_texts import due_document, due_line
from provisioning.disclosure import desk
from provisioning.disclosure.clocks import Due, due, punctuality
from provisioning.disclosure.intake import held
from provisioning.disclosure.store import CaseStore

_HOUR_S = 3600


def due_items(
    cases: CasesOption,
    within: Annotated[
        int, typer.Option("--within", metavar="HOURS", min=0, help="List what is due in these hours, too.")
    ] = 24,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """List what is due or overdue: acknowledgements, status updates, CRA reports, mail that was not delivered.

    Ends with exit code 1 if there is anything, so that cron sends it to you. --json has the punctuality too.

    Example: `firstboot report due --cases reports.db --within 48`
    """
    with opened(cases, files) as store:
        found, now_s = desk.load_all(store), store.now()
        waiting = [*due(found.values()), *held_items(store)]
    items = [item for item in waiting if item.due_s <= now_s + within * _HOUR_S]
    late = sum(item.is_overdue(now_s) for item in items)
    document = {
        "now_s": now_s,
        "overdue": late,
        "due": [due_document(item, now_s) for item in items],
        "punctuality": dataclasses.asdict(punctuality(found.values(), now_s)),
    }
    print_report([due_line(item, now_s) for item in items] or ["nothing is due"], document, is_json)
    if items:
        raise RefusedError([f"{len(items) - late} due within {within} hours, {late} overdue"])


def held_items(store: CaseStore) -> list[Due]:
    """Return the held mails as due items: one of them may be a report."""
    mails = held(store)
    if not mails:
        return []
    with store.reading() as session:
        _, promise = desk.promise_in_force(session)
    limit = promise.acknowledgement_due(mails[0].received_s)
    return [Due("-", "held mail", limit, f"read {len(mails)} held mails: firstboot report held")]

"""`firstboot statement scope`: decide whether the Act applies to a product, and record why."""

from __future__ import annotations

import dataclasses
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.compliance_inputs import today_utc
from provisioning.cli.errors import InputError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import ByOption, JsonOption
from provisioning.cli.output import print_report
from provisioning.compliance import scope
from provisioning.file_system import replace_file
from provisioning.kit.duties import duties_of

_WORDS = {"yes": True, "no": False}


class Role(StrEnum):
    """The role of the person who asks (s. 7)."""

    MANUFACTURER = scope.MANUFACTURER
    IMPORTER = scope.IMPORTER
    DISTRIBUTOR = scope.DISTRIBUTOR


def scope_command(
    name: Annotated[
        str, typer.Option("--product-name", callback=one_line("person"), help="The product, for the record.")
    ],
    by: ByOption,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The record of the decision (JSON).")],
    role: Annotated[
        Role, typer.Option("--role", help="Manufacturer, importer or distributor of the product.")
    ] = Role.MANUFACTURER,
    given: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="NAME=yes|no", help="An answer. Without it, the command asks."),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason",
            metavar="TEXT",
            callback=one_line("reason"),
            help="What your answers rely on, for the record: data sheet, the maker's word, a test.",
        ),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Decide step by step whether the Act applies to a product (ss. 4 to 7, Schedule 3), and record the reasons.

    A manufacturer gets the table [scope] for the definition too. An importer or distributor is also asked what section
    7 asks, and gets the duties of the role that follows. This is a record of your answers, not legal advice.

    Example: `firstboot statement scope --product-name FB-1 --by "E. Example" --to scope.json`
    """
    answers = dict(_read(each) for each in given or [])
    try:
        while (question := scope.next_question(answers, role.value)) is not None:
            text = f"{question.text} ({question.source})"
            answers[question.name] = typer.confirm(text, err=is_json)
        decision = scope.decide(answers, role.value)
    except scope.ScopeError as error:
        raise InputError(f"--answer: {error}.") from None
    today = today_utc().isoformat()
    duties = duties_of(decision.role or "") if decision.applies else ()
    record = _record(name, role.value, answers, decision, by, today) | {
        "reason": reason,
        "duties": [dataclasses.asdict(each) for each in duties],
    }
    replace_file(to, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
    lines = [
        f"The Act {'applies' if decision.applies else 'does not apply'} to {name}.",
        *decision.reasons,
        *(f"  {each.source}: {each.sentence}" for each in duties),
        f"The record is {to}.",
    ]
    if decision.applies and decision.role == scope.MANUFACTURER:
        lines += ["For your product definition:", "", *_table(decision, by, today)]
    print_report(lines, record, is_json)


def _read(text: str) -> tuple[str, bool]:
    name, _, word = text.partition("=")
    if word not in _WORDS:
        raise InputError(f"--answer: {text!r} has not the form NAME=yes or NAME=no.")
    return name, _WORDS[word]


def _record(
    name: str, role: str, answers: dict[str, bool], decision: scope.Decision, by: str, today: str
) -> dict[str, Any]:
    sources = {each.name: each.source for each in scope.QUESTIONS}
    return {
        "product": name,
        "asked_as": role,
        "role": decision.role,
        "applies": decision.applies,
        "connectable": decision.connectable,
        "reasons": list(decision.reasons),
        "answers": {each: {"answer": yes, "source": sources[each]} for each, yes in answers.items()},
        "decided_by": by,
        "decided_on": today,
    }


def _table(decision: scope.Decision, by: str, today: str) -> list[str]:
    return [
        "[scope]",
        f'connectable = "{decision.connectable}"',
        f'exceptions = "{decision.exceptions}"',
        'markets = ["GB", "NI"]  # leave out what you do not sell to',
        f"decided_by = {json.dumps(by, ensure_ascii=False)}",
        f"decided_on = {today}",
    ]

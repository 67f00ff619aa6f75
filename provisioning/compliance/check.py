"""What an importer or a shop can check of a unit from its serial number, without an account (SC-11).

Rules:
1. Nothing is believed but the signatory's public key, which the reader brings: it is compared with the maker once.
2. Each question has its own answer: which statement, who signed it, which unit, how long it is supported, whom to
   tell of a security issue. One that cannot be answered is a no.
3. With the digest that the unit itself shows (`statement_sha256` of its /public.json) the same statement is proved to
   lie in the unit.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioning.compliance.archive import Archive, Archived, ArchiveError
from provisioning.compliance.carried import check_signature
from provisioning.compliance.gate import SHIPPED
from provisioning.compliance.ledger import Ledger, LedgerError
from provisioning.compliance.security_txt import SecurityTxtError, check_security_txt
from provisioning.compliance.statement import ISSUED, StatementError, check_statement, label_expiries
from provisioning.compliance.support_register import RegisterError, current

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey

STATEMENTS: Final = "statements"
REGISTER: Final = "support-register.jsonl"
SECURITY_TXT: Final = ".well-known/security.txt"


@dataclass(frozen=True)
class Answer:
    """One question's answer in one sentence."""

    question: str
    is_yes: bool
    sentence: str


@dataclass(frozen=True)
class Papers:
    """What the reader has: a copy of the maker's site, the packing list of the delivery, trusted keys, today's date."""

    site: Path
    packing: Path
    keys: Sequence[AnchorKey]
    today: dt.date


def check_serial(serial: str, papers: Papers, device_sha256: str | None = None) -> list[Answer]:
    """The answers for one unit, in order; the first that is a no can make later ones unanswerable."""
    try:
        entry = _packed(serial, papers.packing)
        if entry is None:
            return [Answer("packing", False, f"The packing list holds no unit {serial}.")]
        statement = Archive(papers.site / STATEMENTS).by_sha256(entry["statement"]["sha256"])
    except (LedgerError, ArchiveError, OSError, KeyError, TypeError) as error:
        return [Answer("packing", False, f"The papers cannot be read: {_words(error)}.")]
    answers = [Answer("packing", True, f"Unit {serial} is {entry['model']} of batch {entry['batch']}.")]
    if statement is None:
        return [*answers, Answer("statement", False, "Its statement is not among the published ones.")]
    answers += [_about_statement(statement, entry, papers), _about_signature(statement, papers)]
    answers += [_about_support(statement, entry, papers), _about_contact(papers)]
    if device_sha256 is not None:
        is_same = device_sha256.lower() == statement.sha256
        words = "The unit itself shows" if is_same else "The unit itself shows another statement, not"
        answers.append(Answer("in the unit", is_same, f"{words} this statement."))
    return answers


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _packed(serial: str, packing: Path) -> dict[str, Any] | None:
    """The unit's line of the packing list, None where there is not exactly one."""
    if not packing.is_file():
        raise LedgerError(f"there is no packing list {packing.name}")
    found = [
        entry for entry in Ledger(packing).entries() if (entry["event"], entry["serial"]) == (SHIPPED, serial)
    ]
    return dict(found[0]) if len(found) == 1 else None


def _about_statement(statement: Archived, entry: dict[str, Any], papers: Papers) -> Answer:
    try:
        document = statement.document()
        check_statement(document)
    except (ArchiveError, StatementError, OSError) as error:
        return Answer("statement", False, f"{statement.id}: {_words(error)}.")
    expired = [day for day in label_expiries(document).values() if day < entry["on"]]
    problem = None
    if document["kind"] != ISSUED:
        problem = "is a demonstration, not a statement of compliance"
    elif (document["product"]["model"], document["product"]["batch"]) != (entry["model"], entry["batch"]):
        problem = "is about another product or batch"
    elif expired:
        problem = f"relies on a label that expired on {expired[0]}, before the unit left"
    if problem:
        return Answer("statement", False, f"{statement.id} {problem}.")
    return Answer("statement", True, f"{statement.id} holds all items of Schedule 4 for this batch.")


def _about_signature(statement: Archived, papers: Papers) -> Answer:
    try:
        check_signature(statement, papers.keys)
        named = statement.document()["signatory"]
    except (StatementError, ArchiveError, OSError, KeyError) as error:
        return Answer("signature", False, f"{_words(error)}.")
    return Answer("signature", True, f"{named['name']}, {named['function']}, signed it with a key you trust.")


def _about_support(statement: Archived, entry: dict[str, Any], papers: Papers) -> Answer:
    try:
        path = papers.site / REGISTER
        published = current(Ledger(path).lines()).get(statement.model)
        stated = statement.document()["support_period"]["end_date"]
    except (LedgerError, RegisterError, ArchiveError, OSError, KeyError) as error:
        return Answer("support period", False, f"{_words(error)}.")
    if published is None:
        return Answer("support period", False, f"No support period of {statement.model} is published.")
    end = published.end_date.isoformat()
    if end < stated or stated != entry["support_end"]:
        return Answer(
            "support period",
            False,
            f"Published until {end}, stated until {stated}, in the unit {entry['support_end']}.",
        )
    if published.end_date < papers.today:
        return Answer("support period", False, f"The support period ended on {end}.")
    return Answer(
        "support period", True, f"Security updates are published until {end}, stated until {stated}."
    )


def _about_contact(papers: Papers) -> Answer:
    try:
        fields = check_security_txt((papers.site / SECURITY_TXT).read_bytes(), papers.today)
    except (SecurityTxtError, OSError) as error:
        return Answer("contact", False, f"{_words(error)}.")
    return Answer(
        "contact", True, f"Security issues are reported to {fields.contacts[0]}; policy {fields.policy}."
    )


def as_json(serial: str, answers: Sequence[Answer]) -> str:
    """The answers as one JSON document."""
    listed = [
        {"question": each.question, "is_yes": each.is_yes, "sentence": each.sentence} for each in answers
    ]
    return json.dumps(
        {"serial": serial, "is_in_order": all(each.is_yes for each in answers), "answers": listed}, indent=2
    )

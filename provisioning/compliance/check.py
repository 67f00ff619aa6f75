"""Check a unit from its serial number, as an importer or a shop without an account (SC-11).

Rules:
1. The reader trusts two public keys, which they compared with the maker once: the signatory's and the station's. The
   packing line, the statement and the files that show it to people count only because these keys signed them.
2. Each question has its own answer: which unit, which statement, who signed it, whether its files are the signed ones,
   how long it is supported, where to report a security issue. A question that cannot be answered is a no.
3. The digest that the unit itself shows (`statement_sha256` of its /public.json) proves that the unit has the same
   statement.
4. A unit that was withdrawn or quarantined after delivery is found in the signed list on the site
   (`withdrawals.py`). With the registry at hand, the unit's state is checked there instead.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioning.compliance.archive import Archive, Archived, ArchiveError
from provisioning.compliance.carried import check_files, check_signature
from provisioning.compliance.ledger import Ledger, LedgerError
from provisioning.compliance.packing import SHIPPED, PackingError, check_line
from provisioning.compliance.security_txt import SecurityTxtError, check_security_txt
from provisioning.compliance.statement import ISSUED, StatementError, check_statement, label_expiries
from provisioning.compliance.support_register import RegisterError, current
from provisioning.compliance.withdrawals import WithdrawalsError, find_list
from provisioning.file_system import is_there
from provisioning.registry.models import PASSED

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.registry.registry import Registry

STATEMENTS: Final = "statements"
REGISTER: Final = "support-register.jsonl"
SECURITY_TXT: Final = ".well-known/security.txt"


@dataclass(frozen=True)
class Answer:
    """The answer to one question, in one sentence."""

    question: str
    is_yes: bool
    sentence: str


@dataclass(frozen=True)
class Delivery:
    """The reader's files: a copy of the maker's site, the packing list of the delivery, trusted keys, today's date."""

    site: Path
    packing: Path
    keys: Sequence[AnchorKey]
    today: dt.date
    stations: Sequence[AnchorKey] = ()  # keys of stations that sign packing lines
    registry: Registry | None = None


def check_serial(serial: str, delivery: Delivery, device_sha256: str | None = None) -> list[Answer]:
    """Return the answers for one unit, in order. After a no, questions that depend on it are left out."""
    try:
        entry = _packed(serial, delivery.packing)
        if entry is None:
            return [Answer("packing", False, f"The packing list has no unit {serial}.")]
        signer = check_line(entry, delivery.stations)
        statement = Archive(delivery.site / STATEMENTS).by_sha256(entry["statement"]["sha256"])
    except PackingError as error:
        return [Answer("packing", False, f"The packing list has {serial}, but {error}.")]
    except (LedgerError, ArchiveError, OSError, KeyError, TypeError) as error:
        return [Answer("packing", False, f"The packing list or the site cannot be read: {_words(error)}.")]
    answers = [Answer("packing", True, f"Unit {serial} is {entry['model']} of batch {entry['batch']}.")]
    if statement is None:
        return [*answers, Answer("statement", False, "Its statement is not among the published ones.")]
    answers += [_about_statement(statement, entry, delivery), _about_signature(statement, delivery)]
    answers += [_about_files(statement, delivery)]
    answers += [_about_support(statement, entry, delivery), _about_contact(delivery)]
    if delivery.registry is not None:
        answers.append(_about_unit(serial, entry, delivery.registry))
    else:
        answers.append(_about_withdrawal(serial, entry, signer, delivery))
    if device_sha256 is not None:
        is_same = device_sha256.lower() == statement.sha256
        words = "The unit itself shows" if is_same else "The unit itself shows another statement, not"
        answers.append(Answer("in the unit", is_same, f"{words} this statement."))
    return answers


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _packed(serial: str, packing: Path) -> dict[str, Any] | None:
    """Return the unit's line of the packing list, None if it has none or several."""
    if not is_there(packing):
        raise LedgerError(f"there is no packing list {packing.name}")
    found = [
        entry for entry in Ledger(packing).entries() if (entry["event"], entry["serial"]) == (SHIPPED, serial)
    ]
    return dict(found[0]) if len(found) == 1 else None


def _about_statement(statement: Archived, entry: dict[str, Any], delivery: Delivery) -> Answer:
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
        problem = f"relies on a label that expired on {expired[0]}, before the unit shipped"
    if problem:
        return Answer("statement", False, f"{statement.id} {problem}.")
    return Answer("statement", True, f"{statement.id} has all items of Schedule 4 for this batch.")


def _about_signature(statement: Archived, delivery: Delivery) -> Answer:
    try:
        check_signature(statement, delivery.keys)
        named = statement.document()["signatory"]
    except (StatementError, ArchiveError, OSError, KeyError) as error:
        return Answer("signature", False, f"{_words(error)}.")
    return Answer("signature", True, f"{named['name']}, {named['function']}, signed it with a key you trust.")


def _about_files(statement: Archived, delivery: Delivery) -> Answer:
    try:
        check_files(statement, delivery.keys)
    except StatementError as error:
        return Answer("files", False, f"{'; '.join(error.problems)}.")
    return Answer("files", True, "Its pages and its printed insert are the files that the signatory signed.")


def _about_unit(serial: str, entry: dict[str, Any], registry: Registry) -> Answer:
    """Answer rule 4 from the registry: the unit's state now, and whether its facts are those of the packing line."""
    unit = registry.find(serial=serial)
    if unit is None:
        return Answer("registry", False, f"The registry has no unit {serial}.")
    if unit.status != PASSED:
        return Answer("registry", False, f"The registry has the unit as {unit.status}.")
    if unit.withdrawn_s is not None:
        return Answer("registry", False, "The unit was withdrawn: servers no longer accept it.")
    shipped = (entry["device_id"], entry["batch"], entry["statement"]["sha256"], entry["image_sha256"])
    statement, image = (unit.statement_sha256 or b"").hex(), (unit.image_digest or b"").hex()
    if shipped != (unit.device_id.hex(), unit.batch, statement, image):
        return Answer(
            "registry", False, "The registry and the packing line have different facts of the unit."
        )
    return Answer("registry", True, "The registry has the unit as passed and not withdrawn.")


def _about_withdrawal(serial: str, entry: dict[str, Any], signer: str, delivery: Delivery) -> Answer:
    """Answer rule 4 without the registry, from the list on the site."""
    try:
        found = find_list(delivery.site / STATEMENTS, delivery.stations, signer, delivery.today)
    except WithdrawalsError as error:
        return Answer("withdrawal", False, f"{str(error)[0].upper()}{str(error)[1:]}.")
    except OSError as error:
        return Answer("withdrawal", False, f"{_words(error)}.")
    state = found.units.get((serial, str(entry["device_id"])))
    day = found.issued.isoformat()
    if state is not None:
        return Answer("withdrawal", False, f"The manufacturer's list of {day} has the unit as {state}.")
    return Answer(
        "withdrawal", True, f"The unit is not on the manufacturer's list of withdrawn units of {day}."
    )


def _about_support(statement: Archived, entry: dict[str, Any], delivery: Delivery) -> Answer:
    try:
        path = delivery.site / REGISTER
        published = current(Ledger(path).lines()).get(entry["model"])
        stated = statement.document()["support_period"]["end_date"]
    except (LedgerError, RegisterError, ArchiveError, OSError, KeyError) as error:
        return Answer("support period", False, f"{_words(error)}.")
    if published is None:
        return Answer("support period", False, f"No support period of {entry['model']} is published.")
    end = published.end_date.isoformat()
    if end < stated or stated != entry["support_end"]:
        return Answer(
            "support period",
            False,
            f"The end of support differs: published {end}, statement {stated}, unit {entry['support_end']}.",
        )
    if published.end_date < delivery.today:
        return Answer("support period", False, f"The support period ended on {end}.")
    unsigned = "" if end == stated else f" The site's register, which is not signed, has {end}."
    return Answer("support period", True, f"Security updates are provided until {stated}.{unsigned}")


def _about_contact(delivery: Delivery) -> Answer:
    try:
        fields = check_security_txt((delivery.site / SECURITY_TXT).read_bytes(), delivery.today)
    except (SecurityTxtError, OSError) as error:
        return Answer("contact", False, f"{_words(error)}.")
    return Answer(
        "contact",
        True,
        f"Report security issues to {fields.contacts[0]}; the policy is {fields.policy}. security.txt is not signed.",
    )


def answer_facts(serial: str, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the answers as plain values, for a JSON document."""
    listed = [
        {"question": each.question, "is_yes": each.is_yes, "sentence": each.sentence} for each in answers
    ]
    return {"serial": serial, "is_in_order": all(each.is_yes for each in answers), "answers": listed}

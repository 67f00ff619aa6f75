"""The statement that accompanies a unit: all items of SI 2023/1007 Schedule 4, as one JSON document.

Rules:
1. A station makes demonstration statements for development. Each says that it is NOT A STATEMENT OF COMPLIANCE.
   Only `firstboot statement issue` (`issue.py`) makes a real one, with evidence and a named person (SC-03).
2. A statement has all items of Schedule 4 paragraph 1(1)(a) to (g), filled in (SC-01).
3. A requirement met on the Schedule 2 route names exactly the standard that the Regulations define (SC-02); one
   met by a label names scheme, level, number and expiry (SC-09).
4. The forms that people read are made only from this document (`forms.py`).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from device.limits import STATEMENT_BYTES
from device.records.support import days_from_civil, sentence
from provisioning.keys.signer import sign_record
from provisioning.product.periods import contradiction, period_in_words
from provisioning.release.capacities import require_capacity
from provisioning.release.payload import ReleaseError

if TYPE_CHECKING:
    from provisioning.keys.signer import Signer
    from provisioning.product.product import Party, Product

TYP: Final = "application/vnd.firstboot.statement+json"
FILES_TYP: Final = "application/vnd.firstboot.statement-files+json"
KIND: Final = "demonstration"
ISSUED: Final = "statement of compliance"
NOTICE: Final = (
    "NOT A STATEMENT OF COMPLIANCE. A demonstration of its form: no evidence was assessed, and only the"
    " manufacturer can make the statement."
)
PREPARED_BY: Final = "This statement is prepared by or on behalf of the manufacturer of the product."
ACT: Final = "Product Security and Telecommunications Infrastructure Act 2022 (c. 46)"
REGULATIONS: Final = (
    "Product Security and Telecommunications Infrastructure (Security Requirements for Relevant Connectable Products)"
    " Regulations 2023 (SI 2023/1007)"
)
AMENDED_BY: Final = ("SI 2025/211", "SI 2025/1267")
LAW: Final = {"act": ACT, "regulations": REGULATIONS, "amended_by": list(AMENDED_BY)}
OPINION: Final = (
    "In the opinion of the manufacturer, they have complied with the applicable security requirements in"
    f" Schedule 1 to the {REGULATIONS}, as amended by {' and '.join(AMENDED_BY)}, or the deemed compliance"
    " conditions in Schedule 2 to those Regulations, as listed."
)
REQUIREMENTS: Final = {
    "passwords": "Passwords (Schedule 1 paragraph 1)",
    "reporting": "Information on how to report security issues (Schedule 1 paragraph 2)",
    "support_period": "Information on minimum security update periods (Schedule 1 paragraph 3)",
}
ROUTES: Final = {
    "schedule-1": "the security requirement in Schedule 1",
    "schedule-2": "the deemed compliance condition in Schedule 2",
    "label": "the deemed compliance condition in Schedule 2 for a product with a current label",
}
# Regulation 2 names these editions; a newer one is not the one in the Regulations.
EN_303_645: Final = {"number": "ETSI EN 303 645", "version": "V2.1.1", "date": "2020-06-19"}
ISO_29147: Final = {"number": "ISO/IEC 29147", "version": "2018", "date": "2018"}
STANDARDS: Final[dict[str, tuple[dict[str, str], ...]]] = {
    "passwords": (EN_303_645,),
    "reporting": (EN_303_645, ISO_29147),
    "support_period": (EN_303_645,),
}
OPEN_POINTS: Final = (
    "What 'accompanied by' needs for a purely digital statement.",
    "Whether a Wi-Fi passphrase, a set-up code or a broker password is a 'password'.",
    "Whether a public default that works only in the factory default state is wise although paragraph 1"
    " permits it.",
    "Effect on paragraph 3(5) of the 2025 replacement of the 2008 Regulations.",
    "Effect of a label under Schedule 2A that expires between first supply and later shipments.",
)


class StatementError(ValueError):
    """The statement is incomplete or makes a claim that it cannot make. `problems`: one line each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("no statement: " + "; ".join(problems))


def build_statement(product: Product, issued: dt.date) -> dict[str, Any]:
    """Return the demonstration statement of a product and batch. Raises StatementError."""
    document = schedule_4(product, issued) | {
        "kind": KIND,
        "notice": NOTICE,
        "open_points": list(OPEN_POINTS),
    }
    document["signatory"]["signature"] = "COSE_Sign1 by the demonstration signatory key"
    check_statement(document)
    return document


def schedule_4(product: Product, issued: dt.date) -> dict[str, Any]:
    """Return items (a) to (g) from the product definition; the caller adds the words about the signature."""
    start, end = product.support.start_date, product.support.end_date
    return {
        "product": {
            "type": product.product_type,
            "model": product.model,
            "brand": product.brand,
            "batch": product.batch,
        },
        "manufacturers": [_party(party) for party in product.manufacturers],
        "authorised_representatives": [_party(party) for party in product.representatives],
        "law": LAW,
        "prepared_by": PREPARED_BY,
        "declaration": {"opinion": OPINION, "requirements": _declarations(product)},
        "support_period": {
            "period": product.support.period,
            "length": period_in_words(product.support.period, end, start),
            **({} if start is None else {"start_date": start.isoformat()}),
            "end_date": end.isoformat(),
            "sentence": sentence(product.model, days_from_civil(end.year, end.month, end.day)),
        },
        "signatory": {
            "name": product.statement.signatory_name,
            "function": product.statement.signatory_function,
        },
        "issue": {"place": product.statement.place, "date": issued.isoformat()},
    }


def _party(party: Party) -> dict[str, str]:
    return {"name": party.name, "address": party.address}


def _declarations(product: Product) -> dict[str, dict[str, Any]]:
    declared: dict[str, dict[str, Any]] = {}
    for requirement, route in product.statement.routes.items():
        declared[requirement] = {"route": route}
        if requirement in product.statement.standards:
            declared[requirement]["standard"] = dict(product.statement.standards[requirement])
        if requirement in product.statement.labels:
            label = product.statement.labels[requirement]
            declared[requirement]["label"] = asdict(label) | {"expires": label.expires.isoformat()}
    return declared


# The required fields, as (item of Schedule 4 paragraph 1(1), path into the document).
ITEMS: Final = (
    ("(d) the Act", ("law", "act")),
    ("(d) the Regulations", ("law", "regulations")),
    ("(a) product type", ("product", "type")),
    ("(a) batch", ("product", "batch")),
    ("(b) manufacturers", ("manufacturers",)),
    ("(c) declaration of who prepared it", ("prepared_by",)),
    ("(d) declaration of compliance", ("declaration", "opinion")),
    ("(d) route of each requirement", ("declaration", "requirements")),
    ("(e) support period", ("support_period", "period")),
    ("(e) end of the support period", ("support_period", "end_date")),
    ("(f) signature", ("signatory", "signature")),
    ("(f) name of the signatory", ("signatory", "name")),
    ("(f) function of the signatory", ("signatory", "function")),
    ("(g) place of issue", ("issue", "place")),
    ("(g) date of issue", ("issue", "date")),
)

# Further fields of an issued statement; a demonstration cannot have them.
ISSUED_ITEMS: Final = (
    ("(d) the Act", ("law", "act")),
    ("(d) the Regulations", ("law", "regulations")),
    ("its id", ("id",)),
    ("its version", ("version",)),
    ("the firmware's version", ("firmware", "version")),
    ("the firmware's image digest", ("firmware", "image_sha256")),
    ("the scope decision (SC-10)", ("scope", "exceptions")),
    ("the evidence (SC-03)", ("evidence",)),
    ("the end of its retention (regulations 8 and 9)", ("retain_until",)),
)


def check_statement(document: Mapping[str, Any]) -> None:
    """Raise StatementError with everything that is missing or wrong in a statement (SC-01, SC-02)."""
    problems = [f"Schedule 4 1(1){item} is missing" for item, path in ITEMS if not _at(document, path)]
    if document.get("kind") == ISSUED:
        problems += [f"{name} is missing" for name, path in ISSUED_ITEMS if not _at(document, path)]
        if "notice" in document:
            problems.append("the document is marked as a demonstration")
    elif document.get("kind") != KIND or document.get("notice") != NOTICE:
        problems.append("the document is not marked as a demonstration")
    problems += _period_problems(document.get("support_period"))
    for name in ("manufacturers", "authorised_representatives"):
        for party in document.get(name) or []:
            if not party.get("name") or not party.get("address"):
                problems.append(f"Schedule 4 1(1)(b) name or address is missing in {name}")
    declared = _at(document, ("declaration", "requirements")) or {}
    for requirement in REQUIREMENTS:
        problems += _route_problems(requirement, declared.get(requirement))
    if problems:
        raise StatementError(problems)


def _period_problems(support: Any) -> list[str]:
    """Return why the period and its dates contradict each other (SP-01). Missing ones are reported by ITEMS."""
    if not isinstance(support, Mapping) or not support.get("period") or not support.get("end_date"):
        return []
    try:
        end = dt.date.fromisoformat(support["end_date"])
        start = dt.date.fromisoformat(support["start_date"]) if "start_date" in support else None
    except (TypeError, ValueError):
        return ["the support period has a date that is not a date"]
    problem = contradiction(support["period"], end, start)
    return [] if problem is None else [problem]


def _at(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = document
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _route_problems(requirement: str, declared: Any) -> list[str]:
    route = declared.get("route") if isinstance(declared, Mapping) else None
    if route not in ROUTES:
        return [f"Schedule 4 1(1)(d) route of {requirement} is missing"]
    standard, label = declared.get("standard"), declared.get("label")
    if (label is not None) != (route == "label"):
        return [f"{requirement}: the route `label` needs a label, and a label needs the route `label`"]
    if route == "label":
        return _label_problems(requirement, label)
    if route == "schedule-1":
        return (
            [] if standard is None else [f"{requirement}: a standard is named, but the route is Schedule 1"]
        )
    if standard not in STANDARDS[requirement]:
        allowed = " or ".join(" ".join(entry.values()) for entry in STANDARDS[requirement])
        return [f"Schedule 4 1(2) {requirement}: the standard must be {allowed}"]
    return []


def _label_problems(requirement: str, label: Any) -> list[str]:
    fields = ("scheme", "level", "number", "expires")
    missing = [name for name in fields if not isinstance(label, Mapping) or not label.get(name)]
    return [f"{requirement}: the label's {name} is missing (SC-09)" for name in missing]


def label_expiries(document: Mapping[str, Any]) -> dict[str, str]:
    """Return, by requirement, the last day (ISO 8601, inclusive) of the label that it relies on."""
    declared = document["declaration"]["requirements"]
    return {name: entry["label"]["expires"] for name, entry in declared.items() if "label" in entry}


def statement_json(document: Mapping[str, Any]) -> bytes:
    """Return the bytes that are signed: JSON, sorted keys, UTF-8. Raises StatementError when incomplete or too long."""
    check_statement(document)
    data = json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1).encode()
    if len(data) > STATEMENT_BYTES - 512:  # room for the COSE headers and the signature
        raise StatementError([f"longer than {STATEMENT_BYTES - 512} bytes"])
    return data


def sign_files(statement_sha256: str, files: Mapping[str, str], signer: Signer) -> bytes:
    """Return the COSE_Sign1 over the digests (SHA-256, hex, by name) of the files that show a statement to people."""
    payload = json.dumps({"statement": statement_sha256, "files": dict(files)}, sort_keys=True).encode()
    return sign_record(payload, FILES_TYP, signer)


def sign_statement(document: Mapping[str, Any], signer: Signer) -> bytes:
    """Return the COSE_Sign1 that a unit carries (docs/reference/records.md, Signed records). Raises StatementError."""
    data = sign_record(statement_json(document), TYP, signer)
    try:
        require_capacity("statement", len(data))
    except ReleaseError as error:
        raise StatementError([str(error)]) from None
    return data

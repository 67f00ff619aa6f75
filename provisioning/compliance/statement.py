"""The statement that accompanies a unit: what SI 2023/1007 Schedule 4 lists, as JSON and as text.

Rules:
1. This program makes demonstration statements. Each says that it is NOT A STATEMENT OF COMPLIANCE: only the
   manufacturer can make one, with evidence, and a named person signs it (SC-03).
2. All items of Schedule 4 paragraph 1(1)(a) to (g) are there and filled in, else there is no statement (SC-01).
3. A requirement met on the Schedule 2 route names exactly the standard that the Regulations define (SC-02).
4. The open points for the maker's lawyer are printed in every statement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from device.limits import STATEMENT_BYTES
from device.support import days_from_civil, long_date_text, sentence

if TYPE_CHECKING:
    import datetime as dt

    from provisioning.factory.product import Party, Product
    from provisioning.signing.signer import Signer

TYP: Final = "application/vnd.firstboot.statement+json"
KIND: Final = "demonstration"
NOTICE: Final = (
    "NOT A STATEMENT OF COMPLIANCE. A demonstration of its form: no evidence was assessed, and only the"
    " manufacturer can make the statement."
)
PREPARED_BY: Final = "This statement is prepared by or on behalf of the manufacturer of the product."
OPINION: Final = (
    "In the opinion of the manufacturer, they have complied with the applicable security requirements in"
    " Schedule 1 or the deemed compliance conditions in Schedule 2, as listed."
)
REQUIREMENTS: Final = {
    "passwords": "Passwords (Schedule 1 paragraph 1)",
    "reporting": "Information on how to report security issues (Schedule 1 paragraph 2)",
    "support_period": "Information on minimum security update periods (Schedule 1 paragraph 3)",
}
ROUTES: Final = {
    "schedule-1": "the security requirement in Schedule 1",
    "schedule-2": "the deemed compliance condition in Schedule 2",
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
    """The statement is incomplete or claims what cannot be claimed. `problems`: one line each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("no statement: " + "; ".join(problems))


def build_statement(product: Product, issued: dt.date) -> dict[str, Any]:
    """The demonstration statement of a product and batch. Raises StatementError."""
    end = product.support.end_date
    document = {
        "kind": KIND,
        "notice": NOTICE,
        "product": {
            "type": product.product_type,
            "model": product.model,
            "brand": product.brand,
            "batch": product.batch,
        },
        "manufacturers": [_party(product.manufacturer)],
        "authorised_representatives": [_party(party) for party in product.representatives],
        "prepared_by": PREPARED_BY,
        "declaration": {"opinion": OPINION, "requirements": _declarations(product)},
        "support_period": {
            "period": product.support.period,
            "end_date": end.isoformat(),
            "sentence": sentence(product.model, days_from_civil(end.year, end.month, end.day)),
        },
        "signatory": {
            "name": product.statement.signatory_name,
            "function": product.statement.signatory_function,
            "signature": "COSE_Sign1 by the demonstration signatory key",
        },
        "issue": {"place": product.statement.place, "date": issued.isoformat()},
        "open_points": list(OPEN_POINTS),
    }
    check_statement(document)
    return document


def _party(party: Party) -> dict[str, str]:
    return {"name": party.name, "address": party.address}


def _declarations(product: Product) -> dict[str, dict[str, Any]]:
    declared: dict[str, dict[str, Any]] = {}
    for requirement, route in product.statement.routes.items():
        declared[requirement] = {"route": route}
        if requirement in product.statement.standards:
            declared[requirement]["standard"] = dict(product.statement.standards[requirement])
    return declared


# What has to be there, as (item of Schedule 4 paragraph 1(1), path into the document).
ITEMS: Final = (
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


def check_statement(document: Mapping[str, Any]) -> None:
    """Raise StatementError with everything that is missing or wrong in a statement (SC-01, SC-02)."""
    problems = [f"Schedule 4 1(1){item} is missing" for item, path in ITEMS if not _at(document, path)]
    if document.get("kind") != KIND or document.get("notice") != NOTICE:
        problems.append("the mark of a demonstration is missing")
    for name in ("manufacturers", "authorised_representatives"):
        for party in document.get(name) or []:
            if not party.get("name") or not party.get("address"):
                problems.append(f"Schedule 4 1(1)(b) name or address is missing in {name}")
    declared = _at(document, ("declaration", "requirements")) or {}
    for requirement in REQUIREMENTS:
        problems += _route_problems(requirement, declared.get(requirement))
    if problems:
        raise StatementError(problems)


def _at(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = document
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _route_problems(requirement: str, declared: Any) -> list[str]:
    route = declared.get("route") if isinstance(declared, Mapping) else None
    if route not in ROUTES:
        return [f"Schedule 4 1(1)(d) route of {requirement} is missing"]
    standard = declared.get("standard")
    if route == "schedule-1":
        return (
            [] if standard is None else [f"{requirement}: a standard is named, but the route is Schedule 1"]
        )
    if standard not in STANDARDS[requirement]:
        allowed = " or ".join(" ".join(entry.values()) for entry in STANDARDS[requirement])
        return [f"Schedule 4 1(2) {requirement}: the standard must be {allowed}"]
    return []


def statement_json(document: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: JSON, sorted keys, UTF-8. Raises StatementError when incomplete or too long."""
    check_statement(document)
    data = json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1).encode()
    if len(data) > STATEMENT_BYTES - 512:  # room for the COSE headers and the signature
        raise StatementError([f"longer than {STATEMENT_BYTES - 512} bytes"])
    return data


def sign_statement(document: Mapping[str, Any], signer: Signer) -> bytes:
    """The COSE_Sign1 that a unit carries (docs/design.md, `statement`). Raises StatementError."""
    from provisioning.signing.release import sign_record

    return sign_record(statement_json(document), TYP, signer)


def statement_text(document: Mapping[str, Any]) -> str:
    """The statement as people read it, one item of Schedule 4 to a paragraph. Raises StatementError."""
    check_statement(document)
    product, support, issue = document["product"], document["support_period"], document["issue"]
    year, month, day = (int(part) for part in issue["date"].split("-"))
    lines = [
        document["notice"],
        f"(a) Product: {product['brand']} {product['model']}, {product['type']}. Batch: {product['batch']}.",
        *[f"(b) Manufacturer: {party['name']}, {party['address']}." for party in document["manufacturers"]],
        *[
            f"(b) Authorised representative: {party['name']}, {party['address']}."
            for party in document["authorised_representatives"]
        ],
        f"(c) {document['prepared_by']}",
        f"(d) {document['declaration']['opinion']}",
        *[_declared_text(name, entry) for name, entry in document["declaration"]["requirements"].items()],
        f"(e) Defined support period: {period_text(support['period'])}, until"
        f" {support['end_date']}. {support['sentence']}",
        f"(f) Signed: {document['signatory']['name']}, {document['signatory']['function']}"
        f" ({document['signatory']['signature']}).",
        f"(g) {issue['place']}, {long_date_text(days_from_civil(year, month, day))}.",
        "Open points for the manufacturer's lawyer:",
        *[f"  {number}. {point}" for number, point in enumerate(document["open_points"], 1)],
    ]
    return "\n".join(lines) + "\n"


def period_text(period: str) -> str:
    """An ISO 8601 duration of years, months and days in words: "P5Y6M" is "5 years 6 months"."""
    units = {"Y": "year", "M": "month", "D": "day"}
    parts = re.findall(r"(\d+)([YMD])", period)
    return " ".join(f"{int(count)} {units[unit]}{'' if int(count) == 1 else 's'}" for count, unit in parts)


def _declared_text(requirement: str, declared: Mapping[str, Any]) -> str:
    text = f"    {REQUIREMENTS[requirement]}: {ROUTES[declared['route']]}"
    if "standard" in declared:
        text += f", {declared['standard']['number']} {declared['standard']['version']}"
        text += f" ({declared['standard']['date']})"
    return text + "."

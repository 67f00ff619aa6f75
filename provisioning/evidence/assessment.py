"""ICS, IXIT and leads to the test cases of TS 103 701, filled from the matrix, the definition and the code's own lists.

Rules:
1. Every entry follows from results, the product definition, docs/secrets.json or docs/interfaces.json of the commit.
   What they do not say is marked: a person writes it. There is no default text in its place.
2. "Filled" is not "confirmed": ICS and IXIT are declarations that the manufacturer makes.
3. A lead names tests that ran on the emulated board and their outcome. The verdict of a test case is the laboratory's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from provisioning.compliance.check_outcomes import FAIL, NOT_APPLICABLE, NOT_RUN, PASS, EvidenceError
from provisioning.evidence.matrix import BOARD, MatrixRow
from provisioning.evidence.provisions import EN_303_645, IXIT_TABLES, PROVISIONS, TS_103_701, UNITS
from provisioning.product.periods import period_in_words

if TYPE_CHECKING:
    from provisioning.product.product import Product

SUPPORTED, NOT_SUPPORTED, NOT_SHOWN, UNKNOWN = "yes", "no", "not shown", "a person decides"
CONCEPTUAL, FUNCTIONAL = "conceptual", "functional"
_CITED: Final = re.compile(r"(TS )?\b(\d\.\d{1,2}|6)-(\d{1,2})(?![\dA-Z-])((?:/-?\d{1,2})*)")
NETWORK: Final = ("tcp", "udp", "icmp", "multicast")


def make_assessment(
    rows: Sequence[MatrixRow],
    product: Product,
    secrets: Mapping[str, Any],
    interfaces: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the keys "ics", "ixit" and "leads" of the evidence. Raises EvidenceError for other lists."""
    by_provision = cited_provisions(rows)
    return {
        "ics": {"standard": EN_303_645, "provisions": _ics(by_provision)},
        "ixit": {"standard": TS_103_701, "tables": _ixit(by_provision, product, secrets, interfaces)},
        "leads": {"standard": TS_103_701, "cases": _leads(rows, by_provision)},
    }


def cited_provisions(rows: Iterable[MatrixRow]) -> dict[str, list[MatrixRow]]:
    """Return the rows that cite each provision in their source; `5.7-1/-2` cites two."""
    found: dict[str, list[MatrixRow]] = {name: [] for name in PROVISIONS}
    for row in rows:
        for is_test_case, clause, number, more in _CITED.findall(row.source):
            if not is_test_case:
                for part in (number, *re.findall(r"\d+", more)):
                    if f"{clause}-{part}" in found:
                        found[f"{clause}-{part}"].append(row)
    return found


def _ics(by_provision: Mapping[str, Sequence[MatrixRow]]) -> list[dict[str, Any]]:
    return [
        {
            "provision": name,
            "status": "mandatory" if PROVISIONS[name] == "M" else "recommended",
            "support": _support(rows),
            "requirements": [f"{row.id}: {row.outcome}" for row in rows],
            "not_shown": [f"{row.id}: {text}" for row in rows for text in row.not_shown],
            "person": _for_a_person(rows),
        }
        for name, rows in by_provision.items()
    ]


def _support(rows: Sequence[MatrixRow]) -> str:
    outcomes = {row.outcome for row in rows}
    if not outcomes or outcomes == {NOT_APPLICABLE}:
        return UNKNOWN
    if FAIL in outcomes:
        return NOT_SUPPORTED
    return NOT_SHOWN if NOT_RUN in outcomes else SUPPORTED


def _for_a_person(rows: Sequence[MatrixRow]) -> str:
    if not rows:
        return "Support or its reason: no requirement of this project is about it."
    if _support(rows) == UNKNOWN:
        return "Why it does not apply to the product."
    if _support(rows) == SUPPORTED and not any(row.not_shown or row.state == "partly" for row in rows):
        return ""
    return "Whether the provision is met in full: what was not shown is named."


# IXIT -------------------------------------------------------------------------------------------------------


def _ixit(
    by_provision: Mapping[str, Sequence[MatrixRow]],
    product: Product,
    secrets: Mapping[str, Any],
    interfaces: Mapping[str, Any],
) -> list[dict[str, Any]]:
    filled = _entries(product, _records(secrets, "secrets"), _records(interfaces, "interfaces"))
    tables = []
    for table, provisions in IXIT_TABLES.items():
        rows = {row.id: row for name in provisions for row in by_provision[name]}
        entries = filled.get(table, [])
        short = table.partition("-")[2]
        tables.append(
            {
                "table": table,
                "entries": [{"id": f"{short}-{number}"} | one for number, one in enumerate(entries, 1)],
                "results": [f"{row.id}: {row.outcome}" for row in rows.values()],
                "person": PERSON.get(table, "The whole table." if not entries else ""),
            }
        )
    return tables


# What the sources do not say, for the tables that they fill in part.
PERSON: Final = {
    "1-AuthMech": "Security guarantees that are claimed for each mechanism.",
    "2-UserInfo": "Where instructions for set-up and for checking it are published.",
    "6-SoftComp": "Name and version of components that are not the firmware; the bill of materials has those that are.",
    "7-UpdMech": "Guarantees that are claimed; what an update asks of the user.",
    "8-UpdProc": "The procedure from a known weakness to a release, and its times.",
    "10-SecParam": "Where and how each parameter is stored on the product's own board.",
    "11-ComMech": "Guarantees that are claimed for each mechanism.",
    "15-Intf": "Interfaces of the product's own board that the firmware does not use.",
    "25-DelFunc": "Data that services outside of the product keep.",
}


def _entries(
    product: Product, secrets: Sequence[Mapping[str, Any]], interfaces: Sequence[Mapping[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Return the entries of the tables that the sources fill, by table."""
    of_network = [one for one in interfaces if one.get("kind") in NETWORK]
    support, contact = product.support, product.contact
    length = period_in_words(support.period, support.end_date, support.start_date)
    return {
        "1-AuthMech": [_secret(one) for one in secrets],
        "2-UserInfo": [
            {
                "model": product.model,
                "report": contact.report,
                "acknowledgement": contact.acknowledgement,
                "status updates": contact.status_updates,
                "policy": contact.policy,
                "support period": f"{length}, until {support.end_date.isoformat()}",
            }
        ],
        "6-SoftComp": [
            {"component": part.name, "kind": part.kind, "can be updated": part.can_be_updated}
            for part in product.components
        ],
        "7-UpdMech": [
            {
                "transport": server.transport,
                "checked every (s)": product.check_interval_s,
                "format": "SUIT manifest, signed by the author; key sets signed by the roots",
            }
            for server in product.servers
        ],
        "8-UpdProc": [{"updates until": support.end_date.isoformat(), "notice (days)": support.notice_days}],
        "10-SecParam": [_secret(one) for one in secrets],
        "11-ComMech": [_interface(one) for one in of_network],
        "13-SoftServ": [_interface(one) for one in of_network if one.get("direction") == "in"],
        "15-Intf": [_interface(one) for one in interfaces],
        "25-DelFunc": [_interface(one) for one in interfaces if "factory reset" in str(one.get("answers"))],
        "28-ExtAPI": [
            _interface(one) for one in interfaces if one.get("direction") == "in" and "needs" in one
        ],
    }


def _secret(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": one.get("name", ""),
        "class": one.get("class", ""),
        "kind": one.get("kind", ""),
        "use": one.get("reason", ""),
        "checked by": ", ".join(map(str, one.get("verified_by", []))),
    }


def _interface(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": one.get("name", ""),
        "kind": f"{one.get('kind', '')}, {one.get('direction', '')}, {one.get('place', '')}",
        "states": ", ".join(map(str, one.get("states", []))),
        "does": one.get("answers", ""),
        "needs": one.get("needs", ""),
    }


def _records(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise EvidenceError(f"the list of {name} in the commit cannot be read")
    return found


# Leads --------------------------------------------------------------------------------------------------------


def _leads(
    rows: Sequence[MatrixRow], by_provision: Mapping[str, Sequence[MatrixRow]]
) -> list[dict[str, Any]]:
    by_id = {row.id: row for row in rows}
    found = []
    for provision, cited in by_provision.items():
        if not cited:
            continue
        tables = [table for table, provisions in IXIT_TABLES.items() if provision in provisions]
        units = {case for case, _ in UNITS}
        for kind, case in ((CONCEPTUAL, f"{provision}-1"), (FUNCTIONAL, f"{provision}-2")):
            if case not in units:
                found.append(_lead(case, "", kind, cited, tables))
        for (case, unit), ids in UNITS.items():
            if case.rpartition("-")[0] == provision:
                kind = CONCEPTUAL if case.endswith("-1") else FUNCTIONAL
                found.append(_lead(case, unit, kind, [by_id[name] for name in ids if name in by_id], tables))
    return found


def _lead(
    case: str, unit: str, kind: str, rows: Sequence[MatrixRow], tables: Sequence[str]
) -> dict[str, Any]:
    on_board = {
        test.test: test.outcome
        for row in rows
        for test in row.tests
        if test.target.startswith(BOARD) and test.outcome != NOT_RUN
    }
    return {
        "case": case,
        "unit": unit,
        "kind": kind,
        "requirements": [f"{row.id}: {row.outcome}" for row in rows],
        "ixit": list(tables),
        "on_board": [{"test": name, "outcome": outcome} for name, outcome in on_board.items()],
        "shown_on_board": kind == FUNCTIONAL and bool(on_board) and set(on_board.values()) == {PASS},
    }

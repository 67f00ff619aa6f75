"""Worksheets for the reports of CRA Article 14: what the store knows is filled in, what a person must write is marked.

Rules:
1. Nothing is filed by a program. A person copies the worksheet into the single reporting platform and records the
   reference with `firstboot report filed` (CF-05).
2. A field is filled from the case, the product definition and the registry's count, and names its source. A field that
   the store cannot know is empty and marked. A worksheet can be filed while fields are empty: late is worse.
3. The fields are those that Article 14(2) and 14(4) of Regulation (EU) 2024/2847 ask for at each stage.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from provisioning.disclosure.case import Case
from provisioning.disclosure.clocks import (
    EARLY_WARNING,
    EXPLOITED,
    FINAL_REPORT,
    NOTIFICATION,
    authority_due,
)
from provisioning.disclosure.errors import CaseInputError, StateError
from provisioning.product.product import Product

BY_HAND: Final = "a person writes this"
NOTE: Final = "Not filed by this program. File it by hand, then record it with `firstboot report filed`."


@dataclass(frozen=True)
class Field:
    """One field of a worksheet. `value`: "" if a person has to write it. `source`: where the value comes from."""

    name: str
    value: str
    source: str = BY_HAND


@dataclass(frozen=True)
class Worksheet:
    """The worksheet of one stage of one case."""

    case: str
    duty: str
    stage: str
    due_s: int
    fields: tuple[Field, ...]

    def document(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        return {
            "case": self.case,
            "duty": self.duty,
            "stage": self.stage,
            "due_s": self.due_s,
            "note": NOTE,
            "fields": [{"name": one.name, "value": one.value, "source": one.source} for one in self.fields],
        }

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        head = [
            f"CRA Article 14, {self.stage} ({self.duty}), case {self.case}",
            f"Due: {_time(self.due_s)}",
            NOTE,
            "",
        ]
        return head + [f"{one.name}: {one.value or f'________ ({one.source})'}" for one in self.fields]


def worksheet(case: Case, product: Product, duty: str, stage: str) -> Worksheet:
    """Return the worksheet of a stage. Raises StateError if its time does not run, CaseInputError for another stage."""
    if stage not in _FIELDS:
        raise CaseInputError(f"the stage is one of {', '.join(_FIELDS)}")
    limit = authority_due(case, duty, stage)
    if limit is None:
        raise StateError(
            f"the {stage} ({duty}) of case {case.code} is not due yet: record awareness, the fix or the notification"
        )
    fields: list[Field] = []
    for name, part in _FIELDS.items():
        fields += part(case, product, duty)
        if name == stage:
            break
    return Worksheet(case.code, duty, stage, limit, tuple(fields))


def _early_warning(case: Case, product: Product, duty: str) -> list[Field]:
    maker = product.manufacturer
    found = [
        Field("Manufacturer", maker.name, "product definition"),
        Field("Address", maker.address, "product definition"),
        Field("Main establishment in the Union", ""),
        Field("CSIRT designated as coordinator", ""),
        Field("Product", f"{product.brand} {product.model}", "product definition"),
        Field("Type of product", product.product_type, "product definition"),
        Field("Became aware", _time(case.aware_s[duty]), "case"),
        Field("Report was received", _time(case.received_s), "case"),
        Field("Member States where the product is available", ""),
    ]
    if duty == EXPLOITED:
        return [
            *found,
            Field("Vulnerability", case.title if case.triage else "", "triage" if case.triage else BY_HAND),
        ]
    return [*found, Field("Suspected to be caused by unlawful or malicious acts", "")]


def _notification(case: Case, product: Product, duty: str) -> list[Field]:
    triage = case.triage
    versions = ", ".join(triage.get("versions", ())) or ""
    batches = ", ".join(triage.get("batches", ())) or ""
    units = triage.get("affected", {}).get("units")
    return [
        _known("Affected versions", versions, "triage"),
        _known("Affected batches", batches, "triage"),
        _known("Affected units made", "" if units is None else str(units), "registry"),
        _known("Severity", f"{triage['rating']} ({triage['cvss']})" if "cvss" in triage else "", "triage"),
        Field(
            "Nature of the exploit" if duty == EXPLOITED else "Nature of the incident, initial assessment", ""
        ),
        _known("Corrective or mitigating measures taken", _fix_text(case), "case"),
        Field("Measures that users can take", ""),
        Field("Sensitivity of this information", "under embargo" if case.is_embargoed else "public", "case"),
    ]


def _final_report(case: Case, product: Product, duty: str) -> list[Field]:
    filed = case.filed.get((duty, NOTIFICATION), {})
    return [
        _known("Reference of the notification", str(filed.get("reference", "")), "case"),
        Field("Description, with severity and impact", ""),
        Field(
            "Malicious actor that exploits it, if known" if duty == EXPLOITED else "Threat or root cause", ""
        ),
        _known("Security update or corrective measures", _fix_text(case), "case"),
    ]


def _known(name: str, value: str, source: str) -> Field:
    return Field(name, value, source if value else BY_HAND)


def _fix_text(case: Case) -> str:
    if case.fixed_s is None:
        return ""
    return f"release {case.fix.get('release', '')}, available since {_time(case.fixed_s)}"


def _time(time_s: int) -> str:
    return dt.datetime.fromtimestamp(time_s, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


_FIELDS: Final[
    dict[str, Callable[[Case, Product, str], list[Field]]]
] = {  # each stage adds to the one before
    EARLY_WARNING: _early_warning,
    NOTIFICATION: _notification,
    FINAL_REPORT: _final_report,
}

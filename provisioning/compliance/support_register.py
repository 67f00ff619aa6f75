"""The published support periods: a ledger that only grows, in which no support period is ever shortened (SP-02).

Rules:
1. One line per publication: model, class id, period, first and last day, the last day of each part that can be
   updated, day of publication. The first line of a model is its first publication; each later one extends it
   (SI 2023/1007 Schedule 1 paragraph 3(3)).
2. Period, end date and the last day of each part are floors. A line that lowers one of them, or moves the first day
   to a later date, is refused when it is written and when it is read: the requirement fails permanently once a period
   was shortened (paragraph 3(6)).
3. A line whose period and dates contradict each other is refused (`product/periods.py`).
4. Models of one class have the same last day, because devices get one support record for their class (SP-03).
5. A model stays published until its period has ended, even if the maker no longer sells it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provisioning.compliance.ledger import Ledger, LedgerError, Line
from provisioning.product.periods import (
    contradiction,
    contradiction_today,
    contradiction_when_new,
    is_shorter,
    parse_period,
)

if TYPE_CHECKING:
    from provisioning.product.product import Product

EVENT = "published"


class RegisterError(Exception):
    """The register refuses a publication, or its content breaks the rules."""


@dataclass(frozen=True)
class Publication:
    """One publication about one model. Dates are days in UTC; `end_date` is inclusive.

    `parts`: the last day of updates of each part that can be updated, by name; lines of earlier versions have none.
    """

    model: str
    class_id: str
    period: str
    end_date: dt.date
    published: dt.date
    start_date: dt.date | None = None
    parts: Mapping[str, dt.date] = field(default_factory=dict)

    @classmethod
    def of(cls, product: Product, today: dt.date) -> Publication:
        """Return the publication of a product today."""
        support = product.support
        return cls(
            product.model,
            product.class_id.hex(),
            support.period,
            support.end_date,
            today,
            support.start_date,
            {
                part.name: part.support_end or support.end_date
                for part in product.components
                if part.can_be_updated
            },
        )

    def entry(self) -> dict[str, Any]:
        """Return the publication as a line of the ledger."""
        found = {
            "event": EVENT,
            "model": self.model,
            "class_id": self.class_id,
            "period": self.period,
            "end_date": self.end_date.isoformat(),
            "published": self.published.isoformat(),
        }
        if self.start_date is not None:
            found["start_date"] = self.start_date.isoformat()
        if self.parts:
            return found | {"parts": {name: day.isoformat() for name, day in self.parts.items()}}
        return found

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the publication without its day."""
        fields = self.entry() | {"published": ""}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _read(entry: Mapping[str, Any], number: int) -> Publication:
    try:
        if entry["event"] != EVENT:
            raise ValueError
        return Publication(
            str(entry["model"]),
            str(entry["class_id"]),
            str(entry["period"]),
            dt.date.fromisoformat(entry["end_date"]),
            dt.date.fromisoformat(entry["published"]),
            dt.date.fromisoformat(entry["start_date"]) if "start_date" in entry else None,
            {str(name): dt.date.fromisoformat(day) for name, day in entry.get("parts", {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RegisterError(f"line {number} of the register is not a publication") from None


def history(lines: Iterable[Line]) -> list[Publication]:
    """Return all publications in order. Raises RegisterError if one breaks rule 2 or 3 or is dated too early."""
    found: list[Publication] = []
    newest: dict[str, Publication] = {}
    for line in lines:
        publication = _read(line.entry, line.number)
        before = newest.get(publication.model)
        if before is not None:
            _check_order(before, publication)
        _check_terms(publication, is_first=before is None)
        newest[publication.model] = publication
        found.append(publication)
    return found


def _check_terms(publication: Publication, *, is_first: bool) -> None:
    """Check rule 3. A period without a first day begins at the latest on the day of its first publication."""
    terms = (publication.period, publication.end_date, publication.start_date)
    problem = contradiction_today(*terms, publication.published) if is_first else contradiction(*terms)
    if problem is not None:
        raise RegisterError(f"{publication.model}: {problem}")


def _check_order(before: Publication, after: Publication) -> None:
    """Check rule 2. Raises RegisterError."""
    if after.end_date < before.end_date:
        raise RegisterError(
            f"{after.model}: the support period was published until {before.end_date.isoformat()} and cannot end"
            f" earlier, on {after.end_date.isoformat()} (SP-02)"
        )
    if is_shorter(parse_period(after.period), parse_period(before.period)):
        raise RegisterError(
            f"{after.model}: the support period was published as {before.period} and cannot be shortened to"
            f" {after.period} (SP-02)"
        )
    if before.start_date is not None and (after.start_date is None or after.start_date > before.start_date):
        raise RegisterError(
            f"{after.model}: the support period was published from {before.start_date.isoformat()} and cannot begin"
            " later (SP-02)"
        )
    for name, day in before.parts.items():
        _check_part(before, after, name, day)
    if after.class_id != before.class_id:
        raise RegisterError(f"{after.model}: the class id of a published model cannot change")
    if after.published < before.published:
        raise RegisterError(f"{after.model}: a publication has an earlier date than the one before it")


def _check_part(before: Publication, after: Publication, name: str, day: dt.date) -> None:
    now = after.parts.get(name)
    if now is None and day >= after.published:
        raise RegisterError(
            f"{after.model}: updates of {name} were published until {day.isoformat()}; until then the part must"
            " stay listed, with updates (SP-02)"
        )
    if now is not None and now < day:
        raise RegisterError(
            f"{after.model}: updates of {name} were published until {day.isoformat()} and cannot end earlier, on"
            f" {now.isoformat()} (SP-02)"
        )


def _check_new(publication: Publication, today: dt.date) -> None:
    """Check rule 3 for a period that is published for the first time. Raises RegisterError."""
    terms = (publication.period, publication.end_date, publication.start_date)
    problem = contradiction_when_new(*terms, today)
    if problem is not None:
        raise RegisterError(f"{publication.model}: {problem}")


def _check_extension(before: Publication, after: Publication) -> None:
    """Check that a later last day comes with a longer duration if no first day is stated. Raises RegisterError.

    Lines that an earlier version wrote are not checked: a register is never rewritten.
    """
    if after.start_date is not None or after.end_date <= before.end_date or after.period != before.period:
        return
    raise RegisterError(
        f"{after.model}: the support period ends on {after.end_date.isoformat()} now, but its duration is still"
        f" {after.period}: state start_date, or the longer period (SP-01); `firstboot support extend` does"
    )


def _check_classes(publications: Iterable[Publication], today: dt.date) -> None:
    """Check rule 4 for the models that are supported today. Raises RegisterError."""
    of_class: dict[str, Publication] = {}
    for each in publications:
        if each.end_date < today:
            continue
        other = of_class.setdefault(each.class_id, each)
        if other.end_date != each.end_date:
            raise RegisterError(
                f"{each.model} and {other.model} have one class id, so their devices get one support record, but the"
                f" periods end on {each.end_date.isoformat()} and {other.end_date.isoformat()} (SP-03)"
            )


def current(lines: Iterable[Line]) -> dict[str, Publication]:
    """Return the newest publication of each model. Raises RegisterError."""
    return {publication.model: publication for publication in history(lines)}


def publish(ledger: Ledger, products: Sequence[Product], today: dt.date) -> dict[str, Publication]:
    """Publish the periods of these products. Returns the newest publication of each model.

    A period that is published already adds no line. Nothing is written if one product is refused. Raises
    RegisterError for a period that breaks the rules and for a missing supported model, LedgerError, OSError.
    """
    now = current(ledger.lines())
    gone = set(now) - {product.model for product in products}
    for model in sorted(gone):
        if now[model].end_date >= today:
            raise RegisterError(
                f"{model} is supported until {now[model].end_date.isoformat()} and must stay published until then"
                " (SP-02)"
            )
    added: list[dict[str, Any]] = []
    for product in products:
        wanted = Publication.of(product, today)
        before = now.get(product.model)
        if before is not None:
            _check_order(before, wanted)
        _check_terms(wanted, is_first=before is None)
        if before is not None and before.digest() == wanted.digest():
            continue
        if before is None:
            _check_new(wanted, today)
        else:
            _check_extension(before, wanted)
        now[product.model] = wanted
        added.append(wanted.entry())
    _check_classes(now.values(), today)
    if added:
        ledger.append(*added)
    return now


__all__ = ["LedgerError", "Publication", "RegisterError", "current", "history", "publish"]

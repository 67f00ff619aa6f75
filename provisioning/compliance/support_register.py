"""The published support periods: a ledger that only grows, in which no end date ever moves earlier (SP-02).

Rules:
1. One line per publication: model, class id, period, end date, day of publication. The first line of a model is its
   first publication; each later one extends it (SI 2023/1007 Schedule 1 paragraph 3(3)).
2. A line that shortens a period is refused when it is written and when it is read: the requirement fails for good
   once a period was shortened (paragraph 3(6)).
3. A model stays published until its period has ended, whatever the maker still sells.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provisioning.compliance.ledger import Ledger, LedgerError, Line

if TYPE_CHECKING:
    from provisioning.product.product import Product

EVENT = "published"


class RegisterError(Exception):
    """The register refuses a publication, or was not kept by its rules."""


@dataclass(frozen=True)
class Publication:
    """What is published of one model. Dates are days in UTC; `end_date` is inclusive."""

    model: str
    class_id: str
    period: str
    end_date: dt.date
    published: dt.date

    def entry(self) -> dict[str, Any]:
        """As a line of the ledger."""
        return {
            "event": EVENT,
            "model": self.model,
            "class_id": self.class_id,
            "period": self.period,
            "end_date": self.end_date.isoformat(),
            "published": self.published.isoformat(),
        }


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
        )
    except (KeyError, TypeError, ValueError):
        raise RegisterError(f"line {number} of the register is no publication") from None


def history(lines: Iterable[Line]) -> list[Publication]:
    """All publications in order. Raises RegisterError where one shortens a period or goes back in time."""
    found: list[Publication] = []
    newest: dict[str, Publication] = {}
    for line in lines:
        publication = _read(line.entry, line.number)
        before = newest.get(publication.model)
        if before is not None:
            _check_order(before, publication)
        newest[publication.model] = publication
        found.append(publication)
    return found


def _check_order(before: Publication, after: Publication) -> None:
    if after.end_date < before.end_date:
        raise RegisterError(
            f"{after.model}: the support period was published until {before.end_date.isoformat()} and cannot end"
            f" earlier, on {after.end_date.isoformat()} (SP-02)"
        )
    if after.class_id != before.class_id:
        raise RegisterError(f"{after.model}: a published model keeps its class id")
    if after.published < before.published:
        raise RegisterError(f"{after.model}: a publication is dated before an earlier one")


def current(lines: Iterable[Line]) -> dict[str, Publication]:
    """What is published now, by model. Raises RegisterError."""
    return {publication.model: publication for publication in history(lines)}


def publish(ledger: Ledger, products: Sequence[Product], today: dt.date) -> dict[str, Publication]:
    """Publish the periods of these products and give what is published now, by model.

    A period that is published already adds no line. Nothing is written where one product is refused. Raises
    RegisterError for a shorter period and for a supported model that is missing, LedgerError, OSError.
    """
    now = current(ledger.lines())
    gone = set(now) - {product.model for product in products}
    for model in sorted(gone):
        if now[model].end_date >= today:
            raise RegisterError(
                f"{model} is supported until {now[model].end_date.isoformat()} and cannot disappear before (SP-02)"
            )
    added: list[dict[str, Any]] = []
    for product in products:
        wanted = Publication(
            product.model,
            product.class_id.hex(),
            product.support.period,
            product.support.end_date,
            today,
        )
        before = now.get(product.model)
        if before is not None:
            _check_order(before, wanted)
            if (before.end_date, before.period) == (wanted.end_date, wanted.period):
                continue
        now[product.model] = wanted
        added.append(wanted.entry())
    if added:
        ledger.append(*added)
    return now


__all__ = ["LedgerError", "Publication", "RegisterError", "current", "history", "publish"]

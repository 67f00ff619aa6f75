"""The sentence of a statement of compliance that each requirement supports (SI 2023/1007 Schedule 4)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from provisioning.compliance.evidence import Row
from provisioning.compliance.forms import paragraphs
from provisioning.compliance.statement import REQUIREMENTS, build_statement

if TYPE_CHECKING:
    from provisioning.product.product import Product

_SCHEDULE_1: Final = re.compile(r"Sch1 ([123])\b")
_ITEM: Final = re.compile(r"Sch4 (?:1\(1\))?\(([a-g])\)")
_LEVELS: Final = re.compile(r"^([A-Z, ]+):")


def sentences_of(product: Product, table: Mapping[str, Row], today: dt.date) -> dict[str, str]:
    """Return the sentence of the product's statement by requirement id; none for what the statement says nothing of.

    Raises StatementError for a definition from which no statement can be made.
    """
    items = {letter: texts for letter, _, texts in paragraphs(build_statement(product, today))}
    declared = dict(zip(REQUIREMENTS, items["d"][-len(REQUIREMENTS) :], strict=True))
    found = {name: _sentence(row.source, declared, items) for name, row in table.items()}
    return {name: text for name, text in found.items() if text}


def is_legal(source: str) -> bool:
    """Return whether a requirement's source has the level L: PSTI asks for it."""
    levels = _LEVELS.match(source)
    return levels is not None and "L" in levels[1]


def _sentence(source: str, declared: Mapping[str, str], items: Mapping[str, list[str]]) -> str:
    if not is_legal(source):
        return ""
    if paragraph := _SCHEDULE_1.search(source):
        name = list(REQUIREMENTS)[int(paragraph[1]) - 1]
        more = " ".join(items["e"]) if name == "support_period" else ""
        return f"{declared[name]} {more}".strip()
    if item := _ITEM.search(source):
        return " ".join(items[item[1]])
    return ""

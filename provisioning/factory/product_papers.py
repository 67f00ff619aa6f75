"""The parts of a product definition that the papers and the maker's site are made of.

Rules:
1. All of it may be left out while units are made for development; what a statement or the site needs and does not
   find is refused there (SC-10, SP-06), not defaulted here.
2. A label route names scheme, level, number and expiry (SC-09; SI 2023/1007 Schedule 2 and 2A as amended by
   SI 2025/1267: JC-STAR STAR-1, or any level of CLS(IoT)).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from provisioning.factory.tables import Table

CONNECTABLE: Final = ("internet", "network")
MARKETS: Final = ("GB", "NI")
COMPONENT_KINDS: Final = ("hardware", "pre-installed", "must-install", "associated")
SCHEMES: Final = {"JC-STAR": ("STAR-1",), "CLS(IoT)": ("1", "2", "3", "4")}
CHARACTERISTICS: Final = 12
COMPONENTS: Final = 64


@dataclass(frozen=True)
class Scope:
    """Why the product is in scope of the Act (ss. 4-6), which exception of Schedule 3 was considered, and where."""

    connectable: str
    exceptions: str
    markets: tuple[str, ...]
    decided_by: str
    decided_on: dt.date


@dataclass(frozen=True)
class Component:
    """Hardware or software that Schedule 1 counts to the product. `support_end`: None is the product's own."""

    name: str
    kind: str
    can_be_updated: bool
    support_end: dt.date | None


@dataclass(frozen=True)
class Publication:
    """What the maker's pages say of the product besides its papers. `how_to_report`: for the ISO/IEC 29147 route."""

    summary: str
    main_characteristics: tuple[str, ...]
    how_to_report: str | None


@dataclass(frozen=True)
class LabelRoute:
    """A label that stands for compliance with one requirement until it expires (last day inclusive)."""

    scheme: str
    level: str
    number: str
    expires: dt.date


def read_scope(fields: Any, problems: list[str]) -> Scope | None:
    """The scope decision, None where the definition has none."""
    if fields is None:
        return None
    table = Table(fields, "scope", problems)
    markets = table.texts("markets", len(MARKETS))
    if not set(markets) <= set(MARKETS):
        table.problem("markets", f"must each be one of {', '.join(MARKETS)}")
    scope = Scope(
        table.choice("connectable", CONNECTABLE),
        table.text("exceptions"),
        markets,
        table.text("decided_by"),
        table.date("decided_on"),
    )
    table.close()
    return scope


def read_components(entries: Any, problems: list[str]) -> tuple[Component, ...]:
    """The components, in order; none where the definition has none."""
    if entries is None:
        return ()
    if not isinstance(entries, list) or not 0 < len(entries) <= COMPONENTS:
        problems.append(f"[[components]] must appear at most {COMPONENTS} times")
        return ()
    found = []
    for number, entry in enumerate(entries, 1):
        table = Table(entry, f"components no. {number}", problems)
        end = table.get("support_end")
        found.append(
            Component(
                table.text("name"),
                table.choice("kind", COMPONENT_KINDS),
                table.truth("updates"),
                None if end is None else table.date("support_end"),
            )
        )
        table.close()
    return tuple(found)


def read_publication(fields: Any, problems: list[str]) -> Publication | None:
    """What the site says of the product, None where the definition has nothing."""
    if fields is None:
        return None
    table = Table(fields, "publication", problems)
    how = table.get("how_to_report")
    publication = Publication(
        table.text("summary"),
        table.texts("main_characteristics", CHARACTERISTICS),
        None if how is None else table.text("how_to_report"),
    )
    table.close()
    return publication


def read_label_routes(
    fields: Any, requirements: tuple[str, ...], problems: list[str]
) -> dict[str, LabelRoute]:
    """The labels by requirement; none where the definition has none."""
    if fields is None:
        return {}
    if not isinstance(fields, dict) or not set(fields) <= set(requirements):
        problems.append(f"[statement.labels] may name {', '.join(requirements)}")
        return {}
    return {name: _label_route(entry, name, problems) for name, entry in fields.items()}


def _label_route(entry: Any, requirement: str, problems: list[str]) -> LabelRoute:
    table = Table(entry, f"statement.labels.{requirement}", problems)
    scheme = table.choice("scheme", tuple(SCHEMES))
    route = LabelRoute(
        scheme, table.choice("level", SCHEMES[scheme]), table.text("number"), table.date("expires")
    )
    table.close()
    return route

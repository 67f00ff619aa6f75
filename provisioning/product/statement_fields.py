"""The parts of a product definition that the statement, the insert and the maker's site are made from.

Rules:
1. All of these parts may be left out while units are made for development. A statement or site that needs a missing
   part is refused then (SC-10, SP-06); there is no default.
2. A label route names scheme, level, number and expiry (SC-09; SI 2023/1007 Schedule 2 and 2A as amended by SI
   2025/1267: JC-STAR STAR-1, or any level of CLS(IoT)).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from provisioning.product.document import Entries, Fields
from provisioning.product.fields import Choice, Date, ListOf, Text, Truth
from provisioning.product.public_texts import POLICY, POLICY_HINT

CONNECTABLE: Final = ("internet", "network")
MARKETS: Final = ("GB", "NI")
COMPONENT_KINDS: Final = ("hardware", "pre-installed", "must-install", "associated")
SCHEMES: Final = {"JC-STAR": ("STAR-1",), "CLS(IoT)": ("1", "2", "3", "4")}
CHARACTERISTICS: Final = 12
COMPONENTS: Final = 64


@dataclass(frozen=True)
class Scope:
    """The decision that the Act applies (ss. 4-6): connection, exceptions considered (Schedule 3), markets."""

    connectable: str
    exceptions: str
    markets: tuple[str, ...]
    decided_by: str
    decided_on: dt.date


@dataclass(frozen=True)
class Component:
    """Hardware or software that Schedule 1 covers. `support_end`: None is the product's own end date."""

    name: str
    kind: str
    can_be_updated: bool
    support_end: dt.date | None


@dataclass(frozen=True)
class Publication:
    """Further texts of the maker's pages about the product.

    `how_to_report`: for the ISO/IEC 29147 route. `report_form`: the address of `firstboot report serve` online.
    """

    summary: str
    main_characteristics: tuple[str, ...]
    how_to_report: str | None
    report_form: str | None = None


@dataclass(frozen=True)
class LabelRoute:
    """A label that shows compliance with one requirement until it expires (last day inclusive)."""

    scheme: str
    level: str
    number: str
    expires: dt.date


SCOPE: Final = Fields(
    {
        "connectable": Choice(CONNECTABLE),
        "exceptions": Text(),
        "markets": ListOf(
            Choice(MARKETS), len(MARKETS), f"must be a list of different ones of {', '.join(MARKETS)}"
        ),
        "decided_by": Text(),
        "decided_on": Date(),
    },
    is_optional=True,
)
COMPONENT_TABLES: Final = Entries(
    Fields(
        {
            "name": Text(),
            "kind": Choice(COMPONENT_KINDS),
            "updates": Truth(),
            "support_end": Date(default=None),
        }
    ),
    1,
    COMPONENTS,
    is_optional=True,
    distinct=("name",),
)
PUBLICATION: Final = Fields(
    {
        "summary": Text(),
        "main_characteristics": ListOf(
            Text(), CHARACTERISTICS, f"must be a list of 1 to {CHARACTERISTICS} different texts of one line"
        ),
        "how_to_report": Text(default=None),
        "report_form": Text(POLICY, POLICY_HINT, default=None),
    },
    is_optional=True,
)
LABEL_ROUTE: Final = Fields(
    {"scheme": Choice(tuple(SCHEMES)), "number": Text(), "expires": Date()},
    by=("scheme", {scheme: {"level": Choice(levels)} for scheme, levels in SCHEMES.items()}),
)


def scope_of(values: dict[str, Any] | None) -> Scope | None:
    """Return the scope decision; None if the definition has none."""
    return None if values is None else Scope(**values)


def component_of(values: dict[str, Any]) -> Component:
    """Return one component."""
    return Component(values["name"], values["kind"], values["updates"], values["support_end"])


def publication_of(values: dict[str, Any] | None) -> Publication | None:
    """Return the site's texts about the product; None if the definition has none."""
    return None if values is None else Publication(**values)

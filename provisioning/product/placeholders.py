"""Values in place of a real one, which must never reach a buyer: of the example definition, fillers, reserved names.

Rules:
1. A value that the example definition has in the same field does not name the maker.
2. A filler ("TBD", "lorem ipsum", "<name>") replaces a value that nobody entered (`placeholder_names.py`).
3. A company, person or place with a usual example name does not exist. "Acme" alone is one; "Acme Lighting Ltd" is a
   name like any other.
4. A host that is reserved for examples, tests or private networks reaches nobody; neither does a telephone number for
   drama, nor a mailbox that is not read.

Development may use them; a statement of compliance and a public site may not. Words that are an answer in their field
pass there: no exception ("none"), a part called "unknown".
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from provisioning.product.example import EXAMPLE
from provisioning.product.placeholder_names import (
    is_example_name,
    is_filler,
    is_unreachable,
    is_unreachable_host,
)

if TYPE_CHECKING:
    from provisioning.product.product import Product


class Kind(Enum):
    """The content of a field, which decides what a placeholder is in it."""

    NAME = auto()  # a company, a person, a place, an address
    TEXT = auto()  # any other text
    CONTACT = auto()  # where a report is sent, or a page
    HOST = auto()  # a server that units ask


_CHECKS: Final[dict[Kind, tuple[Callable[[str], bool], ...]]] = {
    Kind.NAME: (is_filler, is_example_name),
    Kind.TEXT: (is_filler,),
    Kind.CONTACT: (is_unreachable,),
    Kind.HOST: (is_unreachable_host,),
}


def placeholders(product: Product) -> list[str]:
    """Return one sentence for each published value of a definition that is a placeholder."""
    return [
        f"{place} is a placeholder: {value!r}"
        for place, kind, value in _published(product)
        if value in _EXAMPLE_VALUES.get(place, ()) or any(check(value) for check in _CHECKS[kind])
    ]


def _published(product: Product) -> Iterator[tuple[str, Kind, str]]:
    """Yield (field, kind, value) of each text that a statement, a page or a unit shows."""
    yield "[product] brand", Kind.NAME, product.brand
    yield "[product] model", Kind.TEXT, product.model
    yield "[product] type", Kind.TEXT, product.product_type
    for table, parties in (
        ("[manufacturer]", product.manufacturers),
        ("[[representatives]]", product.representatives),
    ):
        for party in parties:
            yield f"{table} name", Kind.NAME, party.name
            yield f"{table} address", Kind.NAME, party.address
    yield "[contact] report", Kind.CONTACT, product.contact.report
    yield "[contact] policy", Kind.CONTACT, product.contact.policy
    yield from _stated(product)
    for component in product.components:
        yield "[[components]] name", Kind.TEXT, component.name
    for server in product.servers:
        yield "[[servers]] host", Kind.HOST, server.host
        yield "[[servers]] tls_name", Kind.HOST, server.tls_name or ""


def _stated(product: Product) -> Iterator[tuple[str, Kind, str]]:
    yield "[statement] signatory_name", Kind.NAME, product.statement.signatory_name
    yield "[statement] signatory_function", Kind.TEXT, product.statement.signatory_function
    yield "[statement] place", Kind.NAME, product.statement.place
    for requirement, label in product.statement.labels.items():
        yield f"[statement.labels.{requirement}] number", Kind.TEXT, label.number
    if product.scope is not None:
        yield "[scope] exceptions", Kind.TEXT, product.scope.exceptions
        yield "[scope] decided_by", Kind.NAME, product.scope.decided_by
    if product.publication is not None:
        yield "[publication] summary", Kind.TEXT, product.publication.summary
        for text in product.publication.main_characteristics:
            yield "[publication] main_characteristics", Kind.TEXT, text
        yield "[publication] how_to_report", Kind.TEXT, product.publication.how_to_report or ""
        if product.publication.report_form is not None:
            yield "[publication] report_form", Kind.CONTACT, product.publication.report_form


def _example_values() -> dict[str, frozenset[str]]:
    """Field -> the value that the example definition has there, for fields with a name or an address."""
    example: dict[str, Any] = tomllib.loads(EXAMPLE)
    found = {
        f"[{table}] {name}": frozenset({example[table][name]})
        for table, name in (
            ("product", "brand"),
            ("manufacturer", "name"),
            ("manufacturer", "address"),
            ("contact", "report"),
            ("contact", "policy"),
            ("statement", "signatory_name"),
            ("statement", "place"),
            ("scope", "decided_by"),
        )
    }
    for name in ("name", "address"):
        found[f"[[representatives]] {name}"] = found[f"[manufacturer] {name}"]
    return found


_EXAMPLE_VALUES: Final = _example_values()

"""Values of the example definition, and names reserved for examples, which must never reach a buyer.

Rules:
1. A domain that is reserved for examples and tests (RFC 2606, RFC 6761) reaches nobody.
2. A party, signatory or place that the example definition names does not exist.
3. A telephone number of the ranges that Ofcom keeps for drama reaches nobody.

Development may use them; a statement of compliance and a public site may not.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from provisioning.product.example import EXAMPLE

if TYPE_CHECKING:
    from provisioning.product.product import Product

RESERVED_HOST: Final = re.compile(
    r"(?i)(?:^|[/@.\s])(?:example\.(?:com|net|org)|[a-z0-9-]*\.?(?:example|test|invalid|localhost))(?=[/:\s]|$)"
)
DRAMA_NUMBER: Final = re.compile(r"tel:\+44-?(?:2079460|1632960|7700900|8081570)[0-9-]*")
FILLER: Final = re.compile(
    r"(?i)\b(?:lorem ipsum|todo|tbd|xxx+|changeme|change me|fill in)\b|^\.\.\.$|\bExample(?:town)?\b"
)


def placeholders(product: Product) -> list[str]:
    """Return one sentence for each published value of a definition that is a placeholder."""
    return [
        f"{place} is a placeholder: {value!r}"
        for place, value in _published(product)
        if value in _EXAMPLE_VALUES
        or RESERVED_HOST.search(value)
        or DRAMA_NUMBER.fullmatch(value)
        or FILLER.search(value)
    ]


def _published(product: Product) -> Iterator[tuple[str, str]]:
    """Yield the values that a statement or a page shows and that name a person, company or place."""
    yield "[product] brand", product.brand
    for party in product.manufacturers:
        yield "[manufacturer] name", party.name
        yield "[manufacturer] address", party.address
    for party in product.representatives:
        yield "[[representatives]] name", party.name
        yield "[[representatives]] address", party.address
    yield "[contact] report", product.contact.report
    yield "[contact] policy", product.contact.policy
    yield "[statement] signatory_name", product.statement.signatory_name
    yield "[statement] place", product.statement.place
    if product.scope is not None:
        yield "[scope] decided_by", product.scope.decided_by


def _example_values() -> frozenset[str]:
    example: dict[str, Any] = tomllib.loads(EXAMPLE)
    return frozenset(
        example[table][name]
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
    )


_EXAMPLE_VALUES: Final = _example_values()

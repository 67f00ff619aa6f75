"""Find the parts of a product that the reporting route and the support period do not cover (RP-05, SP-06).

Rules:
1. Hardware and pre-installed software are always listed; Schedule 1 names them first.
2. A part whose updates end before the product's is a gap.
3. With a bill of materials (CycloneDX), every program and device in it must be a listed part.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from provisioning.product.product import Product

ALWAYS: Final = ("hardware", "pre-installed")
PARTS: Final = ("application", "firmware", "operating-system", "device", "platform")
SBOM_BYTES: Final = 16 << 20


class BillError(ValueError):
    """The bill of materials cannot be read."""


@dataclass(frozen=True)
class Covered:
    """One part: whether it can be updated, until when (ISO 8601, or None), and where its issues are reported."""

    name: str
    kind: str
    updates_until: str | None
    contact: str


def join(product: Product) -> list[Covered]:
    """Return every part with its support period and contact."""
    return [
        Covered(
            part.name,
            part.kind,
            (part.support_end or product.support.end_date).isoformat() if part.can_be_updated else None,
            product.contact.report,
        )
        for part in product.components
    ]


def reporting_gaps(product: Product, bill: bytes | None = None) -> list[str]:
    """Return the parts that the reporting route does not cover, one sentence each. Raises BillError."""
    kinds = {part.kind for part in product.components}
    gaps = [f"no part of kind {kind} is listed in [[components]]" for kind in ALWAYS if kind not in kinds]
    listed = {part.name for part in product.components}
    names = [] if bill is None else _bill_parts(bill)
    return gaps + [
        f"{name} is in the bill of materials but not in [[components]]"
        for name in names
        if name not in listed
    ]


def support_gaps(product: Product) -> list[str]:
    """Return the parts that the support period does not cover, one sentence each."""
    gaps = [
        f"{part.name} has updates until {part.support_end}, the product until {product.support.end_date}"
        for part in product.components
        if part.can_be_updated
        and part.support_end is not None
        and part.support_end < product.support.end_date
    ]
    if not any(part.can_be_updated for part in product.components):
        gaps.append("no part that can be updated is listed in [[components]]")
    return gaps


def _bill_parts(data: bytes) -> list[str]:
    """Return the names of the programs and devices of a CycloneDX document."""
    if len(data) > SBOM_BYTES:
        raise BillError(f"the bill of materials is larger than {SBOM_BYTES} bytes")
    try:
        document = json.loads(data)
        if document["bomFormat"] != "CycloneDX":
            raise ValueError
        entries: list[Any] = [document["metadata"]["component"], *document.get("components", [])]
        return [str(entry["name"]) for entry in entries if entry["type"] in PARTS]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BillError("the bill of materials is not a CycloneDX document with a main component") from None

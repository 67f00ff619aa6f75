"""The statement that the units of a batch carry: the issued one, or for development a demonstration.

Rules:
1. Without development a batch carries the newest issued statement of its type and batch, or nothing is made: no
   statement, no unit (SC-04).
2. What is carried verifies under the signatory key that the same units are told to trust.
3. A development batch never carries an issued statement.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import FirstbootError
from device.trust.anchors import NO_RULES, ROLE_SIGNATORY, Anchors, Key
from device.trust.verify import verify_record
from provisioning.compliance.archive import Archive, Archived
from provisioning.compliance.statement import TYP, StatementError, build_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.keys.key_id import AnchorKey
    from provisioning.keys.key_ring import KeyRing
    from provisioning.product.product import Product


def statement_record(
    product: Product, archive: Path | None, keys: KeyRing, *, is_development: bool, issued: dt.date
) -> bytes:
    """The `statement` record of the batch. `issued`: the day a demonstration names. Raises StatementError."""
    if is_development:
        return sign_statement(build_statement(product, issued), keys.signer("signatory"))
    found = None if archive is None else Archive(archive).latest(product.model, product.batch)
    if found is None:
        raise StatementError(
            [f"none was issued for {product.model}, batch {product.batch}: firstboot statement issue (SC-04)"]
        )
    check_signature(found, keys.anchor_keys())
    if found.document()["support_period"]["end_date"] != product.support.end_date.isoformat():
        raise StatementError([f"{found.id} states another end of the support period than the product"])
    return found.signed()


def check_signature(statement: Archived, keys: Iterable[AnchorKey]) -> None:
    """Raise StatementError unless a signatory among `keys` signed the statement that the archive names."""
    anchors = Anchors(
        bytes(16),
        bytes(16),
        tuple(Key(key.key_id, key.algorithm, key.role, key.public) for key in keys),
        0,
        0,
        NO_RULES,
    )
    try:
        payload = verify_record(statement.signed(), TYP, ROLE_SIGNATORY, anchors)
    except FirstbootError as error:
        raise StatementError(
            [f"{statement.id} is not signed by a signatory that is trusted here ({type(error).__name__})"]
        ) from None
    if hashlib.sha256(payload).hexdigest() != statement.sha256:
        raise StatementError([f"{statement.id} is signed, but is not the statement that was archived"])

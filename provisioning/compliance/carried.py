"""The statement that the units of a batch carry: an issued one, or a demonstration for development.

Rules:
1. A batch that is not for development carries the newest issued statement of its type and batch. Without one, no unit
   is made (SC-04).
2. The carried statement verifies under the signatory key that the same units trust.
3. A development batch never carries an issued statement.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import FirstbootError
from device.trust.anchors import NO_RULES, ROLE_SIGNATORY, Anchors, Key
from device.trust.signed_record import verify_record
from provisioning.compliance.archive import FILES, HTML, INSERT, JSON, SIGNED, Archive, Archived
from provisioning.compliance.statement import FILES_TYP, TYP, StatementError, build_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.keys.key_id import AnchorKey
    from provisioning.keys.key_ring import KeyRing
    from provisioning.product.product import Product


def statement_record(
    product: Product, archive: Path | None, keys: KeyRing, *, is_development: bool, issued: dt.date
) -> bytes:
    """Return the `statement` record of the batch. `issued`: the day a demonstration names. Raises StatementError."""
    if is_development:
        return sign_statement(build_statement(product, issued), keys.signer("signatory"))
    found = None if archive is None else Archive(archive).latest(product.model, product.batch)
    if found is None:
        raise StatementError(
            [
                f"no statement was issued for {product.model}, batch {product.batch};"
                " use `firstboot statement issue` (SC-04)"
            ]
        )
    check_signature(found, keys.anchor_keys())
    if found.document()["support_period"]["end_date"] != product.support.end_date.isoformat():
        raise StatementError([f"{found.id} states another end of the support period than the product"])
    return found.signed()


def check_files(statement: Archived, keys: Iterable[AnchorKey]) -> None:
    """Raise StatementError unless the files that people read are those whose digests the signatory signed, OSError."""
    try:
        payload = verify_record(
            (statement.folder / FILES).read_bytes(), FILES_TYP, ROLE_SIGNATORY, _anchors(keys)
        )
        signed = json.loads(payload)
        digests, stated = dict(signed["files"]), signed["statement"]
    except FileNotFoundError:
        raise StatementError([f"{statement.id} has no signed list of its files"]) from None
    except (FirstbootError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StatementError(
            [f"the files of {statement.id} are not signed by a trusted signatory ({type(error).__name__})"]
        ) from None
    if stated != statement.sha256 or not {JSON, HTML, INSERT} <= set(digests):
        raise StatementError([f"the signed list of files is not about {statement.id}"])
    extra = {path.name for path in statement.folder.iterdir()} - {SIGNED, FILES, *digests}
    if extra:
        raise StatementError(
            [
                f"the folder of {statement.id} has files that the signatory did not sign: {', '.join(sorted(extra))}"
            ]
        )
    for name, digest in sorted(digests.items()):
        path = statement.folder / Path(name).name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise StatementError([f"{name} of {statement.id} is not the file that the signatory signed"])


def _anchors(keys: Iterable[AnchorKey]) -> Anchors:
    return Anchors(
        bytes(16),
        bytes(16),
        tuple(Key(key.key_id, key.algorithm, key.role, key.public) for key in keys),
        0,
        0,
        NO_RULES,
    )


def check_signature(statement: Archived, keys: Iterable[AnchorKey]) -> None:
    """Raise StatementError unless a signatory among `keys` signed the statement that the archive names."""
    try:
        payload = verify_record(statement.signed(), TYP, ROLE_SIGNATORY, _anchors(keys))
    except FirstbootError as error:
        raise StatementError(
            [f"{statement.id} is not signed by a signatory that is trusted here ({type(error).__name__})"]
        ) from None
    if hashlib.sha256(payload).hexdigest() != statement.sha256:
        raise StatementError([f"{statement.id} is signed, but is not the statement that was archived"])
    document = statement.document()
    product = document.get("product") or {}
    signed = (document.get("id", statement.id), product.get("model"), product.get("batch"))
    if signed != (statement.id, statement.model, statement.batch):
        raise StatementError(
            [f"the ledger has {statement.id} as another statement, type or batch than its signatory signed"]
        )

"""Read a record that one trusted key signed: a COSE_Sign1 of a given type, with its payload."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from device.codec import cose
from device.crypto import backend
from device.trust.anchors import Key
from device.trust.signatures import verify_signer

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey


class UntrustedError(ValueError):
    """The record has another type, or its only signature is not by a trusted key."""


def read(data: bytes, typ: str, trusted: Iterable[AnchorKey], limit: int) -> tuple[bytes, bytes]:
    """Return the payload and the key id of a record of type `typ` with at most `limit` bytes.

    Raises UntrustedError, and FirstbootError if the record is malformed or its signature is not valid.
    """
    known = {key.key_id: key for key in trusted}
    record = cose.decode(data, limit)
    signer = record.signers[0]
    found = known.get(signer.key_id)
    if record.typ != typ or len(record.signers) != 1 or record.payload is None or found is None:
        raise UntrustedError
    key = Key(found.key_id, found.algorithm, found.role, found.public)
    verify_signer(record, signer, key, typ.encode(), None, backend)
    return record.payload, found.key_id

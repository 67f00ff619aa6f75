"""A record that a station signed, for a reader who compared the station's public key with the maker once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from device.codec import cose
from device.crypto import backend
from device.errors import FirstbootError
from device.trust.anchors import Key
from device.trust.signatures import verify_signer

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey


class StationRecordError(ValueError):
    """The record is not signed by a station that the reader trusts."""


def read(data: bytes, typ: str, stations: Iterable[AnchorKey], limit: int) -> tuple[bytes, bytes]:
    """Payload and key id of a COSE_Sign1 of type `typ`, at most `limit` bytes. Raises StationRecordError."""
    known = {key.key_id: key for key in stations}
    try:
        record = cose.decode(data, limit)
        signer = record.signers[0]
        found = known.get(signer.key_id)
        if record.typ != typ or len(record.signers) != 1 or record.payload is None or found is None:
            raise StationRecordError("not signed by a station that you trust")
        key = Key(found.key_id, found.algorithm, found.role, found.public)
        verify_signer(record, signer, key, typ.encode(), None, backend)
    except FirstbootError as error:
        raise StationRecordError(f"the signature is not valid ({type(error).__name__})") from None
    return record.payload, found.key_id

"""Verify an untrusted signed record: return its payload, or raise a typed error (docs/reference/records.md, Anchors).

Rules:
1. A record is a COSE_Sign1 of the expected type with its payload inside, at most RECORD_BYTES long; the signatory's
   STATEMENT_BYTES.
2. A key of the expected role signed it (device/trust/signatures.py).
"""

from device.codec import cose
from device.compat import const
from device.crypto import backend
from device.errors import RecordTypeError, UnsupportedError
from device.limits import RECORD_BYTES, STATEMENT_BYTES
from device.trust.anchors import ROLE_SIGNATORY, find_key
from device.trust.signatures import verify_signer

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.trust.anchors import Anchors, Key


def verify_record(data: bytes, typ: str, role: int, anchors: "Anchors", crypto: "Any" = backend) -> bytes:
    """Return the payload of a record of type `typ` that a key of `role` signed (docs/reference/records.md, Anchors).

    At most RECORD_BYTES, STATEMENT_BYTES for the signatory. Raises CodecError (and subclasses), RecordTypeError,
    SignatureError, AlgorithmError, UnsupportedError.
    """
    return verify_record_key(data, typ, role, anchors, crypto)[0]


def verify_record_key(
    data: bytes, typ: str, role: int, anchors: "Anchors", crypto: "Any" = backend
) -> "tuple[bytes, Key]":
    """Return payload and signing key, as verify_record: a tracker's record counts only inside its key's interval."""
    limit = STATEMENT_BYTES if role == ROLE_SIGNATORY else RECORD_BYTES
    record, signer = _record(data, typ, limit)
    key = find_key(anchors, signer.key_id, role)
    verify_signer(record, signer, key, typ.encode("utf-8"), None, crypto)
    return record.payload, key


def verify_record_with(data: bytes, typ: str, key: "Key", crypto: "Any" = backend) -> bytes:
    """Return the payload of a record that this key signed, whatever key id it names: a device's hello at a station."""
    record, signer = _record(data, typ, RECORD_BYTES)
    verify_signer(record, signer, key, typ.encode("utf-8"), None, crypto)
    payload: bytes = record.payload
    return payload


def _record(data: bytes, typ: str, limit: int) -> "tuple[cose.Signed, cose.Signer]":
    record = cose.decode(data, limit)
    if record.typ != typ:
        raise RecordTypeError(wanted=typ)
    if record.signers[0].protected is not None:  # only a signer of COSE_Sign has headers of its own
        raise UnsupportedError(what="COSE_Sign for a record")
    if record.payload is None:
        raise UnsupportedError(what="detached payload of a record")
    return record, record.signers[0]

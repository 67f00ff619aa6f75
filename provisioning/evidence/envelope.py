"""in-toto statements in DSSE envelopes, signed by a test runner (securesystemslib, ADR 37).

Rules:
1. The key id of a signature is ours: 16 hex digits. Keys are P-256 or Ed25519; DSSE has no HSS/LMS.
2. An envelope is at most ENVELOPE_BYTES long, has one signature, and nothing of its payload is read before the
   signature was verified with a trusted key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import FormatError, VerificationError
from securesystemslib.signer import Signature, SSlibKey  # type: ignore[attr-defined]

from device.codec.cose import ALG_ED25519, ALG_ESP256
from provisioning.compliance.check_outcomes import EvidenceError
from provisioning.evidence.errors import EnvelopeError, EvidenceRefusedError

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.keys.signer import Signer

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
ENVELOPE_BYTES: Final = 16 << 20


@dataclass(frozen=True)
class Attestation:
    """A statement whose signature was verified. `payload`: its bytes; `subject`: digest (SHA-256, hex) of the image."""

    payload: bytes
    predicate: dict[str, Any]
    subject: str
    key_id: bytes


def make_statement(
    subject: str, sha256: str, predicate_type: str, predicate: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the in-toto statement (v1) about one image."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": subject, "digest": {"sha256": sha256}}],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def payload_of(statement: Mapping[str, Any]) -> bytes:
    """Return the bytes that are signed: sorted, so that equal statements have one digest."""
    return json.dumps(statement, sort_keys=True, ensure_ascii=False, indent=1).encode() + b"\n"


def sign(payload: bytes, signer: Signer) -> bytes:
    """Return the envelope of a payload. Raises EvidenceError for a key that DSSE has no signature for, OSError."""
    if signer.algorithm not in (ALG_ESP256, ALG_ED25519):
        raise EvidenceError("a test runner's key for this must be a P-256 or an Ed25519 key")
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    raw = signer.sign(envelope.pae())
    if signer.algorithm == ALG_ESP256:
        raw = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key_id = signer.key_id.hex()
    envelope.signatures[key_id] = Signature(key_id, raw.hex())
    return json.dumps(envelope.to_dict(), sort_keys=True, indent=1).encode() + b"\n"


def read(
    data: bytes, trusted: Iterable[AnchorKey], predicate_types: Sequence[str], source: str
) -> Attestation:
    """Return the statement of an envelope (rule 2). Raises EnvelopeError, EvidenceRefusedError."""
    envelope = _envelope(data, source)
    keys = {key.key_id.hex(): key for key in trusted}
    found = next((keys[name] for name in envelope.signatures if name in keys), None)
    if found is None:
        raise EvidenceRefusedError([f"{source} is not signed by a test runner that you trust"])
    try:
        envelope.verify([_library_key(found)], 1)
    except VerificationError:
        raise EvidenceRefusedError([f"the signature of {source} is not valid: it was changed"]) from None
    return _attestation(envelope.payload, predicate_types, found.key_id, source)


def _envelope(data: bytes, source: str) -> Envelope:
    if len(data) > ENVELOPE_BYTES:
        raise EnvelopeError(f"{source} has more than {ENVELOPE_BYTES} bytes")
    try:
        envelope = Envelope.from_dict(json.loads(data))
        is_ours = envelope.payload_type == PAYLOAD_TYPE and len(envelope.signatures) == 1
        is_ours = is_ours and all(isinstance(name, str) for name in envelope.signatures)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, FormatError):
        is_ours = False
    if not is_ours:
        raise EnvelopeError(f"{source} is not a DSSE envelope with one signature over an in-toto statement")
    return envelope


def _library_key(key: AnchorKey) -> SSlibKey:
    public: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    if key.algorithm == ALG_ED25519:
        public = ed25519.Ed25519PublicKey.from_public_bytes(key.public)
    elif key.algorithm == ALG_ESP256:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.public)
    else:
        raise EvidenceError("a test runner's key for this must be a P-256 or an Ed25519 key")
    return SSlibKey.from_crypto(public, keyid=key.key_id.hex())


def _attestation(payload: bytes, predicate_types: Sequence[str], key_id: bytes, source: str) -> Attestation:
    try:
        statement = json.loads(payload)
        (subject,) = statement["subject"]
        digest = subject["digest"]["sha256"]
        is_ours = statement["_type"] == STATEMENT and statement["predicateType"] in predicate_types
        is_ours = is_ours and isinstance(statement["predicate"], dict) and isinstance(digest, str)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_ours = False
    if not is_ours:
        raise EnvelopeError(f"{source} is an in-toto statement about something else")
    return Attestation(payload, statement["predicate"], digest, key_id)

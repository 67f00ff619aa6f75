"""One protocol for keys in files, tokens and services, so that callers do not depend on the kind."""

from __future__ import annotations

from typing import Protocol

from device.codec import cose


class Signer(Protocol):
    """A key that signs. `sign` may block (a token, a person) and may raise OSError."""

    @property
    def algorithm(self) -> int:
        """COSE algorithm number: -9 (ESP256), -19 (Ed25519) or -46 (HSS/LMS)."""

    @property
    def key_id(self) -> bytes:
        """The value of the COSE header `kid`, and of the anchor."""

    @property
    def public(self) -> bytes:
        """The public key as an anchor holds it: 65 bytes for P-256, 32 for Ed25519, the raw HSS key for HSS/LMS."""

    def sign(self, message: bytes) -> bytes:
        """Return the raw signature over `message` (hashing included), as COSE carries it."""


def sign_record(payload: bytes, typ: str, signer: Signer) -> bytes:
    """COSE_Sign1 with `typ` protected and as external_aad (docs/reference/records.md, Signed records)."""
    return cose.sign1_encode(
        payload,
        algorithm=signer.algorithm,
        key_id=signer.key_id,
        sign=signer.sign,
        typ=typ,
        external_aad=typ.encode("utf-8"),
    )

"""The encoded point of a public key and its id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True)
class AnchorKey:
    """The fields of a key on a device: id, COSE algorithm, role number, public key (65 bytes for P-256)."""

    key_id: bytes
    algorithm: int
    role: int
    public: bytes


def public_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the uncompressed point: 0x04, x, y; 65 bytes."""
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def key_id(public: bytes) -> bytes:
    return hashlib.sha256(public).digest()[:8]

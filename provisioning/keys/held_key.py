"""A P-256 private key that a Signer (a token) holds, as the type that the X.509 builders take."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from device.codec import cose
from provisioning.keys.signer import Signer


class HeldKey(ec.EllipticCurvePrivateKey):
    """Signs ECDSA with SHA-256 through a signer; the key cannot be read. `sign` raises OSError if a token fails."""

    def __init__(self, signer: Signer) -> None:
        """Raises ValueError for a signer of another algorithm."""
        if signer.algorithm != cose.ALG_ESP256:
            raise ValueError("an authority's key is a P-256 key")
        self._signer = signer
        self._public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), signer.public)

    def __repr__(self) -> str:
        return f"HeldKey({hashlib.sha256(self._signer.public).hexdigest()[:16]})"

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Return a DER signature over `data`."""
        algorithm = signature_algorithm.algorithm
        if isinstance(algorithm, Prehashed) or not isinstance(algorithm, hashes.SHA256):
            raise UnsupportedAlgorithm("a held key signs SHA-256 only")
        raw = self._signer.sign(bytes(data))
        return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        raise UnsupportedAlgorithm("a held key signs only")

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        raise UnsupportedAlgorithm("a held key cannot be read")

    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> bytes:
        raise UnsupportedAlgorithm("a held key cannot be read")

    def __copy__(self) -> HeldKey:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> HeldKey:
        return self

"""Keys in PEM files that sign deterministically: P-256 (RFC 6979) and Ed25519 (RFC 8032).

For development and for offline machines.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from device.codec import cose
from provisioning.keys.key_id import key_id, public_point
from provisioning.keys.pem import load_any_pem, load_private_pem, read_private

_DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class FileSigner:
    """Signs ESP256 (COSE -9) with the key of one file. `repr` shows only the key id."""

    algorithm: int = cose.ALG_ESP256

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = public_point(key.public_key())
        self.key_id = key_id(self.public)

    def __repr__(self) -> str:
        return f"FileSigner({self.key_id.hex()})"

    @classmethod
    def load(cls, path: Path) -> FileSigner:
        """Return the signer of a PKCS#8 or SEC 1 PEM file. Raises OSError, ValueError for another kind of key."""
        return cls.from_pem(read_private(path))

    @classmethod
    def from_pem(cls, data: bytes) -> FileSigner:
        """Return the signer of PEM text. Raises ValueError for another kind of key."""
        return cls(load_private_pem(data))

    def sign(self, message: bytes) -> bytes:
        """r || s, 64 bytes (RFC 9053 2.1)."""
        r, s = decode_dss_signature(self._key.sign(message, _DETERMINISTIC))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Ed25519FileSigner:
    """Signs Ed25519 (COSE -19) with the key of one file. `repr` shows only the key id."""

    algorithm: int = cose.ALG_ED25519

    def __init__(self, key: ed25519.Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw()
        self.key_id = key_id(self.public)

    def __repr__(self) -> str:
        return f"Ed25519FileSigner({self.key_id.hex()})"

    def sign(self, message: bytes) -> bytes:
        """R || S, 64 bytes (RFC 8032 5.1.6)."""
        return self._key.sign(message)


def load_file_signer(path: Path) -> FileSigner | Ed25519FileSigner:
    """Return the signer of a PEM file; asks for the passphrase of an encrypted one (`secret_input`).

    Raises OSError, ValueError for a key that is neither P-256 nor Ed25519 or does not open.
    """
    try:
        key = load_any_pem(read_private(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Ed25519FileSigner(key)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"{path}: neither a P-256 nor an Ed25519 key")
    return FileSigner(key)

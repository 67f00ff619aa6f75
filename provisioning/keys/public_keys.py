"""Public keys in their usual encodings: COSE keys, PEM, certificates, raw HSS and LMS keys.

The bytes themselves tell the encoding: PEM begins with dashes, a raw HSS key has 60 bytes, a raw LMS key 56
(it is the one tree of an HSS key of one level, RFC 8554 6), anything else must be a COSE_Key or COSE_KeySet.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from device.codec import cose
from provisioning.keys.key_id import public_point

HSS_BYTES: Final = 60
LMS_BYTES: Final = 56

# IANA COSE Key Types and Elliptic Curves; RFC 8778 for HSS/LMS.
_KTY_OKP, _KTY_EC2, _KTY_HSS = 1, 2, 5
_CURVE_P256, _CURVE_ED25519 = 1, 6
_ALGORITHMS: Final = {
    cose.ALG_ESP256: (None, cose.ALG_ES256, cose.ALG_ESP256),
    cose.ALG_ED25519: (None, cose.ALG_EDDSA, cose.ALG_ED25519),
    cose.ALG_HSS_LMS: (None, cose.ALG_HSS_LMS),
}


class PublicKeyError(ValueError):
    """The bytes are not a public key of a supported algorithm."""


class PublicKey(NamedTuple):
    """A key as an anchor holds it; `key_id` is None if the encoding has none."""

    algorithm: int
    public: bytes
    key_id: bytes | None = None


def parse(data: bytes) -> list[PublicKey]:
    """Return the public keys in `data`. Raises PublicKeyError."""
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            return [_from_pem(data)]
        if len(data) == HSS_BYTES and data[:3] == bytes(3) and 1 <= data[3] <= 8:  # levels, RFC 8554 6
            return [PublicKey(cose.ALG_HSS_LMS, data)]
        if len(data) == LMS_BYTES and data[:3] == bytes(3):
            return [PublicKey(cose.ALG_HSS_LMS, b"\x00\x00\x00\x01" + data)]
        decoded = cbor2.loads(data)
        return [_from_cose(key) for key in (decoded if isinstance(decoded, list) else [decoded])]
    except PublicKeyError:
        raise
    except (ValueError, TypeError, cbor2.CBORDecodeError) as error:
        raise PublicKeyError(f"not a public key: {error}") from error


def _from_pem(data: bytes) -> PublicKey:
    if b"CERTIFICATE" in data:
        return _from_key(x509.load_pem_x509_certificate(data).public_key())
    if b"PRIVATE KEY" in data:
        private = serialization.load_pem_private_key(data, None)
        return _from_key(private.public_key())
    return _from_key(serialization.load_pem_public_key(data))


def _from_key(key: object) -> PublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return PublicKey(cose.ALG_ESP256, public_point(key))
    if isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKey(cose.ALG_ED25519, key.public_bytes_raw())
    raise PublicKeyError("neither a P-256 nor an Ed25519 key")


def _from_cose(key: Any) -> PublicKey:
    """RFC 9053 7.1 (EC2), 7.2 (OKP), RFC 8778 4 (HSS-LMS)."""
    if not isinstance(key, dict):
        raise PublicKeyError("a COSE key is a map")
    kind, curve = key.get(1), key.get(-1)
    if kind == _KTY_EC2 and curve == _CURVE_P256:
        found = PublicKey(cose.ALG_ESP256, _point(key.get(-2), key.get(-3)))
    elif kind == _KTY_OKP and curve == _CURVE_ED25519 and isinstance(key.get(-2), bytes):
        found = PublicKey(cose.ALG_ED25519, key[-2])
    elif kind == _KTY_HSS and isinstance(curve, bytes) and len(curve) == HSS_BYTES:
        found = PublicKey(cose.ALG_HSS_LMS, curve)
    else:
        raise PublicKeyError(f"COSE key of type {kind} is not supported")
    if key.get(3) not in _ALGORITHMS[found.algorithm]:
        raise PublicKeyError(f"algorithm {key.get(3)} does not fit this kind of key")
    key_id = key.get(2)
    if key_id is not None and not isinstance(key_id, bytes):
        raise PublicKeyError("kid is not a byte string")
    return found._replace(key_id=key_id)


def _point(x: Any, y: Any) -> bytes:
    if not isinstance(x, bytes) or len(x) != 32:
        raise PublicKeyError("x of a P-256 key has 32 bytes")
    if isinstance(y, bool):  # RFC 9053 7.1.1: the sign bit of a compressed point
        point = bytes([3 if y else 2]) + x
        return public_point(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
    if not isinstance(y, bytes) or len(y) != 32:
        raise PublicKeyError("y of a P-256 key has 32 bytes, or is its sign bit")
    return b"\x04" + x + y


def public_pem(point: bytes) -> bytes:
    """Return the PEM (RFC 7468, PUBLIC KEY) of a P-256 public key (65 bytes). Raises ValueError."""
    return _pem(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))


def encode_pem(key: PublicKey) -> bytes:
    """`key` as PEM. Raises PublicKeyError for an HSS key: PEM has no usual form of it."""
    if key.algorithm == cose.ALG_ESP256:
        return public_pem(key.public)
    if key.algorithm == cose.ALG_ED25519:
        return _pem(ed25519.Ed25519PublicKey.from_public_bytes(key.public))
    raise PublicKeyError("an hss key has no PEM form: pass on the file public.hss of its folder")


def _pem(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def encode_cose(key: PublicKey) -> bytes:
    """`key` as a COSE_Key."""
    fields: dict[int, Any]
    if key.algorithm == cose.ALG_ESP256:
        fields = {1: _KTY_EC2, 3: key.algorithm, -1: _CURVE_P256, -2: key.public[1:33], -3: key.public[33:]}
    elif key.algorithm == cose.ALG_ED25519:
        fields = {1: _KTY_OKP, 3: key.algorithm, -1: _CURVE_ED25519, -2: key.public}
    else:
        fields = {1: _KTY_HSS, 3: key.algorithm, -1: key.public}
    if key.key_id is not None:
        fields[2] = key.key_id
    return bytes(cbor2.dumps(fields, canonical=True))

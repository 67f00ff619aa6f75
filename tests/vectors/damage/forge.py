"""Signed envelopes: good ones, and ones with damage inside the signature. Test keys are derived from their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from cborlib import Raw, Tag, enc
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lms import Tree

VENDOR = hashlib.sha256(b"vendor").digest()[:16]
CLASS = hashlib.sha256(b"class").digest()[:16]
SEQUENCE = 7
INSTALLED = 6
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CHUNK_DIGEST = hashlib.sha256(b"chunks").digest()
FIRMWARE_DIGEST = hashlib.sha256(b"firmware").digest()
TEXT = enc({"en": {2: "closes a hole", -257: "1.0.0", -258: "restarts once"}})
SHA256 = -16


@dataclass(frozen=True)
class Key:
    """One key: kid, COSE algorithm, COSE_Key (encoded), and its signing function."""

    kid: bytes
    algorithm: int
    cose_key: bytes
    sign: Callable[[bytes], bytes]


@cache
def p256(name: str) -> Key:
    secret = int.from_bytes(hashlib.sha256(b"test key " + name.encode()).digest(), "big") % (N - 1) + 1
    private = ec.derive_private_key(secret, ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    x, y = (one.to_bytes(32, "big") for one in (numbers.x, numbers.y))

    def sign(message: bytes) -> bytes:
        ecdsa = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        return b"".join(one.to_bytes(32, "big") for one in decode_dss_signature(private.sign(message, ecdsa)))

    fields = {1: 2, 2: name.encode(), 3: -9, -1: 1, -2: x, -3: y}
    return Key(name.encode(), -9, enc(fields), sign)


@cache
def ed(name: str) -> Key:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    public = private.public_key().public_bytes_raw()
    return Key(name.encode(), -19, enc({1: 1, 2: name.encode(), 3: -19, -1: 6, -2: public}), private.sign)


@cache
def hss(name: str) -> Key:
    """Return a tree of 32 leaves (W8: short signatures)."""
    tree = Tree(name.encode())
    return Key(name.encode(), -46, enc({1: 5, 2: name.encode(), 3: -46, -1: tree.public}), tree.sign)


# Parts of a good envelope --------------------------------------------------------------------------------


def digest(data: bytes) -> bytes:
    """Return the encoded SUIT_Digest of a member with its byte string head."""
    return enc([SHA256, hashlib.sha256(enc(data)).digest()])


def parameters(values: dict[int, Any]) -> list[Any]:
    return [20, values]


def image(digest_bytes: bytes) -> bytes:
    return enc([SHA256, digest_bytes])


def shared(vendor: Any = VENDOR, klass: Any = CLASS) -> list[Any]:
    """Return the shared sequence as a flat list, which the caller may change."""
    found: list[Any] = []
    for index, (name, size) in enumerate(((CHUNK_DIGEST, 64), (FIRMWARE_DIGEST, 5000))):
        found += [12, index, *parameters({1: vendor, 2: klass, 3: image(name), 14: size}), 1, 15, 2, 15]
    return found


def install() -> list[Any]:
    found: list[Any] = []
    for index, name in enumerate((CHUNK_DIGEST, FIRMWARE_DIGEST)):
        found += [12, index, *parameters({21: "o/" + name.hex()}), 21, 2, 3, 15]
    return found


def common(sequence: Any = None, components: Any = None) -> bytes:
    inside = enc(shared()) if sequence is None else sequence if isinstance(sequence, bytes) else enc(sequence)
    return enc({2: [[b"chunks"], [b"firmware"]] if components is None else components, 4: inside})


def members(**changes: Any) -> dict[int, Any]:
    """Return the manifest's members; m20=b"..." changes one, m20=None removes it."""
    found: dict[int, Any] = {1: 1, 2: SEQUENCE, 3: common(), 20: enc(install()), 23: Raw(digest(TEXT))}
    for name, value in changes.items():
        number = int(name[1:])
        if value is None:
            found.pop(number, None)
        else:
            found[number] = value
    return found


def sig_structure(protected: bytes, payload: bytes, aad: bytes = b"", signer: bytes | None = None) -> bytes:
    if signer is None:
        return enc(["Signature1", protected, aad, payload])
    return enc(["Signature", protected, signer, aad, payload])


def sign1(payload: bytes, key: Key, algorithm: int | None = None, kid: bytes | None = None) -> bytes:
    """Return a tagged COSE_Sign1 with a detached payload."""
    protected = enc({1: key.algorithm if algorithm is None else algorithm})
    signature = key.sign(sig_structure(protected, payload))
    return enc(Tag(18, [protected, {4: key.kid if kid is None else kid}, None, signature]))


def sign_many(payload: bytes, keys: Sequence[Key]) -> bytes:
    """Return a tagged COSE_Sign with one signature of each key."""
    parts = []
    for key in keys:
        protected = enc({1: key.algorithm})
        parts.append([protected, {4: key.kid}, key.sign(sig_structure(b"", payload, signer=protected))])
    return enc(Tag(98, [b"", {}, None, parts]))


AUTHOR = p256("author")


def envelope(
    manifest: Any = None,
    signatures: Sequence[Any] | None = None,
    severed: dict[Any, Any] | None = None,
    signed: bytes | None = None,
) -> bytes:
    """Return an envelope of `manifest` (members or bytes). `signatures`: functions of the digest, or bytes.

    `signed`: the encoded SUIT_Digest that is signed, if it is not that of the manifest.
    """
    content = manifest if isinstance(manifest, bytes) else enc(members() if manifest is None else manifest)
    value = digest(content) if signed is None else signed
    made = [sign1(value, AUTHOR)] if signatures is None else [_made(one, value) for one in signatures]
    wrapper = enc([value, *made])
    beside = {23: TEXT} if severed is None else severed
    return enc(Tag(107, {2: wrapper, 3: content, **beside}))


def _made(signature: Any, value: bytes) -> bytes:
    return bytes(signature(value)) if callable(signature) else bytes(signature)

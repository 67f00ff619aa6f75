"""The SUIT envelope: decode the parts around the manifest. Nothing is trusted yet.

draft-ietf-suit-manifest 8.3 (Envelope) and 8.4 (digests). Rules:
1. Tag 107 around a map with the authentication wrapper (2) and the manifest (3).
2. The wrapper is a digest and 1 .. SIGNATURES_TRIED signatures, each in a byte string.
3. Severable members may be beside the manifest; they count only if the manifest holds their digest.
4. Integrated payloads and every other member are refused by name.
The manifest stays bytes here: it is read only after its signature was verified.
"""

import hashlib
from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import LimitError, SuitError, UnsupportedError
from device.limits import ENVELOPE_BYTES, SIGNATURES_TRIED, UNVERIFIED_ITEMS
from device.suit import registry

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_BYTES = const(2)  # major type

# `digest`: the encoded SUIT_Digest, which the authors sign; `signatures`: tuple of encoded COSE messages;
# `manifest`: encoded SUIT_Manifest; `severed`: member number -> bytes.
Envelope = namedtuple("Envelope", ("digest", "signatures", "manifest", "severed"))


def decode(data: bytes) -> Envelope:
    """Return the parts of an envelope of at most ENVELOPE_BYTES.

    Raises LimitError, CborError, SuitError (field `reason`), UnsupportedError (field `what`).
    """
    envelope = cbor.decode(data, ENVELOPE_BYTES, UNVERIFIED_ITEMS)
    if not isinstance(envelope, cbor.Tag) or envelope.number != registry.TAG_ENVELOPE:
        raise SuitError(reason="not a SUIT envelope")
    members = envelope.value
    if not isinstance(members, dict):
        raise SuitError(reason="envelope is not a map")
    severed = {}
    for number in members:
        if isinstance(number, str):
            raise UnsupportedError(what="suit-integrated-payload")
        if not registry.has(registry.ENVELOPE_MEMBERS, number):
            raise UnsupportedError(
                what=registry.name_of(registry.OTHER_ENVELOPE_MEMBERS, number, "envelope member")
            )
        if not isinstance(members[number], bytes):
            raise SuitError(reason="envelope member is not a byte string", member=number)
        if number in registry.SEVERABLE_MEMBERS:
            severed[number] = members[number]
    for number in (registry.AUTHENTICATION_WRAPPER, registry.MANIFEST):
        if number not in members:
            raise SuitError(reason="missing", member=registry.name_of(registry.ENVELOPE_MEMBERS, number, ""))
    digest, signatures = decode_authentication(members[registry.AUTHENTICATION_WRAPPER])
    return Envelope(digest, signatures, members[registry.MANIFEST], severed)


def encode(envelope: Envelope) -> bytes:
    """Return the tagged envelope; the inverse of decode."""
    members = dict(envelope.severed)
    members[registry.AUTHENTICATION_WRAPPER] = cbor.encode([envelope.digest] + list(envelope.signatures))
    members[registry.MANIFEST] = envelope.manifest
    return cbor.encode(cbor.Tag(registry.TAG_ENVELOPE, members))


def digest_of(member: "bytes | memoryview") -> bytes:
    """Return the 32 bytes that a SUIT_Digest of `member` holds.

    They cover the member as a byte string, its CBOR head included (draft 8.4, integrity check values).
    """
    found = hashlib.sha256(cbor.head(_BYTES, len(member)))
    found.update(member)
    return found.digest()


def encode_digest(digest: bytes) -> bytes:
    """Return the encoded SUIT_Digest of 32 bytes of SHA-256."""
    return cbor.encode([registry.DIGEST_SHA256, digest])


def decode_digest(data: bytes) -> bytes:
    """Return the 32 bytes of an encoded SUIT_Digest. Raises CborError, SuitError, UnsupportedError."""
    return check_digest(cbor.decode(data, ENVELOPE_BYTES, UNVERIFIED_ITEMS))


def check_digest(value: "Any") -> bytes:
    """Return the 32 bytes of a decoded SUIT_Digest; only SHA-256 is supported."""
    if not isinstance(value, list) or len(value) != 2:
        raise SuitError(reason="digest is not two parts")
    algorithm, digest = value
    if algorithm != registry.DIGEST_SHA256:
        raise UnsupportedError(what=registry.name_of((), algorithm, "digest algorithm"))
    if not isinstance(digest, bytes) or len(digest) != 32:
        raise SuitError(reason="digest is not 32 bytes")
    return digest


def decode_authentication(data: bytes) -> "tuple[bytes, tuple[bytes, ...]]":
    """Return the encoded SUIT_Digest and the signatures in an authentication wrapper (rule 2). Raises as decode."""
    parts = cbor.decode(data, ENVELOPE_BYTES, UNVERIFIED_ITEMS)
    if not isinstance(parts, list) or not parts:
        raise SuitError(reason="authentication wrapper is not a list")
    for part in parts:
        if not isinstance(part, bytes):
            raise SuitError(reason="part of the authentication wrapper is not a byte string")
    if len(parts) < 2:
        raise SuitError(reason="no signature")
    if len(parts) - 1 > SIGNATURES_TRIED:
        raise LimitError(what="SUIT signatures", limit=SIGNATURES_TRIED)
    decode_digest(parts[0])
    return parts[0], tuple(parts[1:])

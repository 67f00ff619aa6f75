"""From bytes of anyone to what this unit believes: manifests and signed records, or a typed refusal.

Rules for a SUIT envelope, in this order; the first that fails ends it and nothing was changed:
1. Size (limits.ENVELOPE_BYTES) and structure of the envelope and of every signature in it.
2. A signature over the SUIT digest by a key of the role author (RFC 9019 2.1), in the algorithm that the
   anchor binds to that key.
3. The digest is that of the manifest (draft-ietf-suit-manifest 6.2). Only now is the manifest read.
4. Components are ours; every member, command and parameter is one that is carried out, else refused by name.
5. Vendor and class identifier are this unit's (UP-09), checked before anything would be fetched.
6. Both components are fetched and matched, each with a digest, a size and the URI that its digest gives.
The caller then asks `require_newer` (UP-02): which number is newer only the caller can know.
"""

from binascii import hexlify
from collections import namedtuple
from hashlib import sha256

from device.codec import cose
from device.compat import const
from device.crypto import backend
from device.errors import (
    AlgorithmError,
    ClassMismatchError,
    DigestMismatchError,
    LimitError,
    RecordTypeError,
    SequenceNumberError,
    SignatureError,
    SuitError,
    UnsupportedError,
    VendorMismatchError,
)
from device.limits import CHUNK_BYTES, CHUNK_LIST_BYTES, RECORD_BYTES, SIGNATURES_TRIED, STATEMENT_BYTES
from device.suit import commands, envelope, manifest, registry
from device.trust.anchors import ROLE_AUTHOR, ROLE_SIGNATORY, find_key

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.suit.envelope import Envelope
    from device.suit.manifest import Manifest, Text
    from device.trust.anchors import Anchors, Key

COMPONENTS = ((b"chunks",), (b"firmware",))
CHUNKS = 0
FIRMWARE = 1
_SHA256_BYTES = const(32)

# What one component must become: SHA-256 (32 bytes), size in bytes, where it lies.
Target = namedtuple("Target", ("digest", "size", "uri"))
# Made by verify_envelope alone; what device.update takes. `text`: manifest.Text, or None where it was severed;
# `envelope_digest`: SHA-256 of the envelope as it came.
VerifiedManifest = namedtuple(
    "VerifiedManifest", ("sequence_number", "chunks", "firmware", "text", "envelope_digest")
)


def verify_envelope(data: bytes, anchors: "Anchors", crypto: "Any" = backend) -> VerifiedManifest:
    """Return the manifest that an author of these anchors signed for this vendor and class.

    `crypto` is device.crypto.backend or has its functions. Raises CodecError (and subclasses), SignatureError,
    AlgorithmError, DigestMismatchError, VendorMismatchError, ClassMismatchError, UnsupportedError.
    """
    parts = envelope.decode(data)
    _verify_author(parts, anchors, crypto)
    if not crypto.equal(envelope.digest_of(parts.manifest), envelope.decode_digest(parts.digest)):
        raise DigestMismatchError(component="manifest")
    content = manifest.decode(parts.manifest)
    _check_members(content, parts)
    chunks, firmware = _targets(content, anchors)
    text = _text(content, parts)
    return VerifiedManifest(content.sequence_number, chunks, firmware, text, sha256(data).digest())


def require_newer(verified: VerifiedManifest, have: int) -> None:
    """Raise SequenceNumberError unless the manifest is newer than sequence number `have` (UP-02)."""
    if verified.sequence_number <= have:
        raise SequenceNumberError(have=have, offered=verified.sequence_number)


def verify_record(data: bytes, typ: str, role: int, anchors: "Anchors", crypto: "Any" = backend) -> bytes:
    """Return the payload of a record of type `typ` that a key of `role` signed (docs/design.md, Anchors).

    At most RECORD_BYTES, STATEMENT_BYTES for the signatory. Raises CodecError (and subclasses), RecordTypeError,
    SignatureError, AlgorithmError, UnsupportedError.
    """
    limit = STATEMENT_BYTES if role == ROLE_SIGNATORY else RECORD_BYTES
    record, signer = _record(data, typ, limit)
    key = find_key(anchors, signer.key_id, role)
    _verify_signer(record, signer, key, typ.encode("utf-8"), None, crypto)
    payload: bytes = record.payload
    return payload


def verify_record_with(data: bytes, typ: str, key: "Key", crypto: "Any" = backend) -> bytes:
    """The same for one given key, whatever key id the record names: a device's hello, checked by a station."""
    record, signer = _record(data, typ, RECORD_BYTES)
    _verify_signer(record, signer, key, typ.encode("utf-8"), None, crypto)
    payload: bytes = record.payload
    return payload


def verify_signature(key: "Key", message: bytes, signature: bytes, crypto: "Any" = backend) -> None:
    """Raise SignatureError unless `signature` is of `key` over `message`; UnsupportedError for its parameters."""
    if key.algorithm == cose.ALG_ESP256:
        try:
            is_valid = crypto.p256_verify(key.public, crypto.sha256(message), signature)
        except ValueError:  # a signature of another length, or an anchor that is no point
            is_valid = False
    elif key.algorithm == cose.ALG_HSS_LMS:
        try:
            is_valid = crypto.hss_verify(key.public, message, signature)
        except ValueError as error:
            raise UnsupportedError(what=str(error)) from None
    else:
        raise UnsupportedError(what="algorithm {}".format(key.algorithm))
    if not is_valid:
        raise SignatureError(reason="wrong signature", role=key.role)


def _record(data: bytes, typ: str, limit: int) -> "tuple[cose.Signed, cose.Signer]":
    record = cose.decode(data, limit)
    if record.typ != typ:
        raise RecordTypeError(wanted=typ)
    if len(record.signers) != 1 or record.signers[0].protected is not None:
        raise UnsupportedError(what="COSE_Sign for a record")
    if record.payload is None:
        raise UnsupportedError(what="detached payload of a record")
    return record, record.signers[0]


def _verify_signer(
    signed: "cose.Signed",
    signer: "cose.Signer",
    key: "Key",
    external_aad: bytes,
    detached: "bytes | None",
    crypto: "Any",
) -> None:
    # -7 and -9 are the same for a P-256 key (RFC 9864 2.1); which one is written does not matter.
    header = cose.ALG_ESP256 if signer.algorithm == cose.ALG_ES256 else signer.algorithm
    if header != key.algorithm:
        raise AlgorithmError(header=signer.algorithm, bound=key.algorithm)
    message = cose.to_be_signed(signed, signer, external_aad, detached)
    verify_signature(key, message, signer.signature, crypto)


def _verify_author(parts: "Envelope", anchors: "Anchors", crypto: "Any") -> None:
    """Rules 1 (signatures) and 2: one good signature of an author is enough, at most SIGNATURES_TRIED are tried."""
    messages = [cose.decode(data) for data in parts.signatures]  # structure of all before any cryptography
    pairs = [(message, signer) for message in messages for signer in message.signers]
    if len(pairs) > SIGNATURES_TRIED:
        raise LimitError(what="SUIT signatures", limit=SIGNATURES_TRIED)
    refusal: "Exception | None" = None
    for message, signer in pairs:
        try:
            key = find_key(anchors, signer.key_id, ROLE_AUTHOR)
            _verify_signer(message, signer, key, b"", parts.digest, crypto)
            return
        except (SignatureError, AlgorithmError, UnsupportedError) as error:
            # A second signature, of a key or algorithm that older units do not know, keeps none of them away.
            refusal = refusal or error
    raise refusal or SignatureError(reason="no signature", role=ROLE_AUTHOR)


def _check_members(content: "Manifest", parts: "Envelope") -> None:
    """Rule 4: nothing that is not carried out, and no severed member but the text."""
    if content.components != COMPONENTS:
        raise UnsupportedError(what="components")
    if content.reference_uri is not None:
        raise UnsupportedError(what="suit-reference-uri")
    for number in content.sequences:
        if number not in (registry.MEMBER_VALIDATE, registry.MEMBER_INSTALL):
            raise UnsupportedError(
                what=registry.name_of(registry.MANIFEST_MEMBERS, number, "manifest member")
            )
    for number in content.severed:
        if number != registry.MEMBER_TEXT:
            name = registry.name_of(registry.MANIFEST_MEMBERS, number, "manifest member")
            raise UnsupportedError(what="severed " + name)
    for number in parts.severed:
        if number not in content.severed:
            raise SuitError(reason="severed member without a digest", member=number)
    if registry.MEMBER_INSTALL not in content.sequences:
        raise SuitError(reason="missing", member="suit-install")


def _targets(content: "Manifest", anchors: "Anchors") -> "tuple[Target, Target]":
    """Rules 5 and 6: what both components are to become, found by running the manifest without doing it."""
    is_vendor = is_class = False
    fetched: "list[Target]" = []
    matched = 0
    install = content.sequences[registry.MEMBER_INSTALL]
    for effect in commands.run((content.shared, install), len(COMPONENTS)):
        if isinstance(effect, commands.MatchVendor):
            is_vendor = _check_vendor(effect, anchors)
        elif isinstance(effect, commands.MatchClass):
            is_class = _check_class(effect, anchors)
        elif isinstance(effect, commands.Fetch):
            if not (is_vendor and is_class):
                raise SuitError(reason="fetch before the vendor and class conditions")
            # Chunk list first, each component once, and matched before the next is fetched.
            if effect.component != len(fetched) or matched != len(fetched):
                raise SuitError(reason="order of fetches")
            fetched.append(Target(effect.digest, effect.size, effect.uri))
        else:
            _check_match(effect, fetched)
            matched = max(matched, effect.component + 1)
    if matched != len(COMPONENTS):
        raise SuitError(reason="a component is not fetched and matched")
    _check_validate(content, fetched, anchors)
    _check_sizes(fetched[CHUNKS], fetched[FIRMWARE])
    return fetched[CHUNKS], fetched[FIRMWARE]


def _check_vendor(effect: "Any", anchors: "Anchors") -> bool:
    if effect.identifier != anchors.vendor_id:
        raise VendorMismatchError(offered=hexlify(effect.identifier).decode())
    return True


def _check_class(effect: "Any", anchors: "Anchors") -> bool:
    if effect.identifier != anchors.class_id:
        raise ClassMismatchError(offered=hexlify(effect.identifier).decode())
    return True


def _check_match(effect: "Any", fetched: "list[Target]") -> None:
    if effect.component >= len(fetched):
        raise SuitError(reason="image match of what was not fetched")
    target = fetched[effect.component]
    if effect.digest != target.digest or effect.size != target.size:
        raise SuitError(reason="image match of something else than was fetched")


def _check_validate(content: "Manifest", fetched: "list[Target]", anchors: "Anchors") -> None:
    """The boot ROM validates the image at every start; a validate sequence may ask for exactly that."""
    validate = content.sequences.get(registry.MEMBER_VALIDATE)
    if validate is None:
        return
    for effect in commands.run((content.shared, validate), len(COMPONENTS)):
        if isinstance(effect, commands.MatchVendor):
            _check_vendor(effect, anchors)
        elif isinstance(effect, commands.MatchClass):
            _check_class(effect, anchors)
        elif isinstance(effect, commands.MatchImage):
            _check_match(effect, fetched)
        else:
            raise UnsupportedError(what="fetch in suit-validate")


def _check_sizes(chunks: Target, firmware: Target) -> None:
    if chunks.size > CHUNK_LIST_BYTES:
        raise LimitError(what="chunk list", limit=CHUNK_LIST_BYTES)
    count = (firmware.size + CHUNK_BYTES - 1) // CHUNK_BYTES
    if count == 0 or chunks.size != count * _SHA256_BYTES:
        raise SuitError(reason="sizes of payload and chunk list do not agree")
    for target in (chunks, firmware):
        if target.uri != object_uri(target.digest):
            raise UnsupportedError(what="URI that is not o/ and the SHA-256")


def object_uri(digest: bytes) -> str:
    """Return the relative URI under which an object with this SHA-256 is published."""
    return "o/" + hexlify(digest).decode()


def _text(content: "Manifest", parts: "Envelope") -> "Text | None":
    """What people read: inside the manifest, or beside it with its digest inside (UP-07)."""
    data = content.text
    if registry.MEMBER_TEXT in content.severed:
        data = parts.severed.get(registry.MEMBER_TEXT)
        if data is not None and envelope.digest_of(data) != content.severed[registry.MEMBER_TEXT]:
            raise DigestMismatchError(component="text")
    return None if data is None else manifest.decode_text(data)

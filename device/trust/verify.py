"""Verify an untrusted envelope: return a trusted manifest, or raise a typed error.

Rules for a SUIT envelope, in this order. The first failed rule ends the check; nothing has changed by then.
1. Size (limits.ENVELOPE_BYTES) and structure of the envelope and of every signature in it.
2. Enough keys of the role author (RFC 9019 2.1) signed the SUIT digest, with the algorithms that the anchors demand
   (device/trust/signatures.py).
3. The digest is that of the manifest (draft-ietf-suit-manifest 6.2). The manifest is read only now. Severed members
   beside it must match their digests.
4. The components are those of this project. A member, command or parameter that a unit does not carry out is
   refused, and the error names it. Text that cannot be read blocks no release.
5. Vendor and class identifier are this unit's (UP-09), checked before any fetch.
6. Every component is fetched and matched, with a digest, a size and the URI of that digest. Only the firmware may be
   matched without a fetch, if it runs already, so that a release can change only the application set
   (docs/design.md, Application sets).
Rules 4 to 6 are in device/trust/profile.py. The caller then calls `require_newer` (UP-02) with the number that it
knows. Signed records are verified in device/trust/signed_record.py; this module is in memory only during a decision
(device/update/service.py).
"""

from collections import namedtuple
from hashlib import sha256

from device.codec import cose
from device.compat import const
from device.crypto import backend
from device.errors import (
    CoseError,
    DigestMismatchError,
    LimitError,
    SequenceNumberError,
)
from device.limits import SEQUENCE_JUMP, SIGNATURES_TRIED
from device.suit import envelope, manifest
from device.trust import fixed_form
from device.trust.anchors import ROLE_AUTHOR, policy_of
from device.trust.profile import COMPONENTS as COMPONENTS
from device.trust.profile import UNKNOWN, check_members, targets_of
from device.trust.profile import Circumstances as Circumstances
from device.trust.profile import Delta as Delta
from device.trust.profile import Target as Target
from device.trust.profile import object_uri as object_uri
from device.trust.signatures import require

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.suit.envelope import Envelope
    from device.suit.manifest import Manifest
    from device.trust.anchors import Anchors
    from device.trust.fixed_form import Release

# Only verify_envelope makes one; device.update takes it. `text`: manifest.Text, or None if it was severed;
# `envelope_digest`: SHA-256 of the envelope as it came; `app_chunks`, `app`: Targets of the application set, None in a
# release without one; `chunks` is None if the firmware runs already and is not fetched; `delta`: Delta or None.
VerifiedManifest = namedtuple(
    "VerifiedManifest",
    ("sequence_number", "chunks", "firmware", "text", "envelope_digest", "app_chunks", "app", "delta"),
)


def verify_envelope(
    data: bytes, anchors: "Anchors", crypto: "Any" = backend, circumstances: Circumstances = UNKNOWN
) -> VerifiedManifest:
    """Return the manifest that authors in these anchors signed for this vendor and class.

    `crypto` is device.crypto.backend or has its functions. Raises CodecError (and subclasses), SignatureError,
    AlgorithmError, DigestMismatchError, VendorMismatchError, ClassMismatchError, UnsupportedError, and
    ConditionError for a failed condition on device identifier, use-before or update-authorised.
    """
    return examine(authenticate(data, anchors, crypto), data, anchors, circumstances)


def examine(
    content: "Manifest | Release", data: bytes, anchors: "Anchors", circumstances: Circumstances = UNKNOWN
) -> VerifiedManifest:
    """Return the manifest of an envelope that `authenticate` took with these anchors (rules 4 to 6).

    Raises as verify_envelope.
    """
    if isinstance(content, fixed_form.Release):  # it passed rules 4 to 6
        chunks, firmware, app_chunks, app, delta = content.chunks, content.firmware, None, None, None
    else:
        check_members(content)
        targets, delta = targets_of(content, anchors, circumstances)
        chunks, firmware, app_chunks, app = (targets + [None, None])[:4]
    text = None if content.text is None else manifest.read_text(content.text)
    return VerifiedManifest(
        content.sequence_number, chunks, firmware, text, sha256(data).digest(), app_chunks, app, delta
    )


def authenticate(data: bytes, anchors: "Anchors", crypto: "Any" = backend) -> "Manifest | Release":
    """Return the manifest that authors in these anchors signed, with its severed members put back (rules 1 to 3).

    Only a release in the fixed form is checked further. Raises CodecError (and subclasses), SignatureError,
    AlgorithmError, DigestMismatchError, UnsupportedError.
    """
    parts = fixed_form.open_envelope(data) or envelope.decode(data)
    _verify_author(parts, anchors, crypto)
    if not crypto.equal(envelope.digest_of(parts.manifest), envelope.decode_digest(parts.digest)):
        raise DigestMismatchError(component="manifest")
    release = fixed_form.read(parts, anchors)
    return release or manifest.resolve(manifest.decode(parts.manifest), parts)


def require_newer(verified: VerifiedManifest, have: int) -> None:
    """Raise SequenceNumberError unless the manifest is newer than sequence number `have` (UP-02), by at most
    SEQUENCE_JUMP.
    """
    if not 0 < verified.sequence_number - have <= SEQUENCE_JUMP:
        raise SequenceNumberError(have=have, offered=verified.sequence_number)


def _verify_author(parts: "Envelope", anchors: "Anchors", crypto: "Any") -> None:
    """Check rules 1 (signatures) and 2: as many different authors as the policy demands, SIGNATURES_TRIED at most."""
    require(author_messages(parts), anchors, policy_of(anchors, ROLE_AUTHOR), b"", parts.digest, crypto)


def author_messages(parts: "Envelope") -> "list[cose.Signed]":
    """Return the signatures of an envelope, all checked for structure before any cryptography.

    Raises CodecError (and subclasses), LimitError for more than SIGNATURES_TRIED.
    """
    messages = [cose.decode(data) for data in parts.signatures]
    for message in messages:
        if message.payload is not None:
            raise CoseError(reason="two payloads")
    if sum([len(message.signers) for message in messages]) > SIGNATURES_TRIED:
        raise LimitError(what="SUIT signatures", limit=SIGNATURES_TRIED)
    return messages

"""From bytes of anyone to what this unit believes: manifests and signed records, or a typed refusal.

Rules for a SUIT envelope, in this order; the first that fails ends it and nothing was changed:
1. Size (limits.ENVELOPE_BYTES) and structure of the envelope and of every signature in it.
2. Signatures over the SUIT digest by keys of the role author (RFC 9019 2.1), as many and of the algorithms that
   the anchors ask for (device/trust/signatures.py).
3. The digest is that of the manifest (draft-ietf-suit-manifest 6.2). Only now is the manifest read.
   Severed members that stand beside it must have their digests.
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
    ClassMismatchError,
    ConditionError,
    CoseError,
    DigestMismatchError,
    LimitError,
    RecordTypeError,
    SequenceNumberError,
    SuitError,
    UnsupportedError,
    VendorMismatchError,
)
from device.limits import CHUNK_BYTES, CHUNK_LIST_BYTES, RECORD_BYTES, SIGNATURES_TRIED, STATEMENT_BYTES
from device.suit import commands, envelope, manifest, registry
from device.trust.anchors import ROLE_AUTHOR, ROLE_SIGNATORY, find_key, policy_of
from device.trust.signatures import require, verify_signer

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.errors import FirstbootError
    from device.suit.envelope import Envelope
    from device.suit.manifest import Manifest
    from device.trust.anchors import Anchors, Key

COMPONENTS = ((b"chunks",), (b"firmware",))
CHUNKS = 0
FIRMWARE = 1
_SHA256_BYTES = const(32)
_CONDITIONS = (
    commands.MatchVendor,
    commands.MatchClass,
    commands.MatchDevice,
    commands.UseBefore,
    commands.Authorise,
)
_NOT_DONE = (
    (commands.Fetch, registry.DIRECTIVE_FETCH),
    (commands.MatchSlot, registry.CONDITION_COMPONENT_SLOT),
    (commands.MatchContent, registry.CONDITION_CHECK_CONTENT),
    (commands.Write, registry.DIRECTIVE_WRITE),
    (commands.Copy, registry.DIRECTIVE_COPY),
    (commands.Swap, registry.DIRECTIVE_SWAP),
    (commands.Invoke, registry.DIRECTIVE_INVOKE),
)

# What conditions may ask about besides the anchors: trusted unix time, the unit's own id (16 bytes), and
# `authorise(priority)` -> bool, the owner's consent. None where it is not known: the condition then does not hold.
Circumstances = namedtuple("Circumstances", ("now_s", "device_id", "authorise"))
UNKNOWN = Circumstances(None, None, None)

# What one component must become: SHA-256 (32 bytes), size in bytes, where it lies.
Target = namedtuple("Target", ("digest", "size", "uri"))
# Made by verify_envelope alone; what device.update takes. `text`: manifest.Text, or None where it was severed;
# `envelope_digest`: SHA-256 of the envelope as it came.
VerifiedManifest = namedtuple(
    "VerifiedManifest", ("sequence_number", "chunks", "firmware", "text", "envelope_digest")
)


def verify_envelope(
    data: bytes, anchors: "Anchors", crypto: "Any" = backend, circumstances: Circumstances = UNKNOWN
) -> VerifiedManifest:
    """Return the manifest that authors of these anchors signed for this vendor and class.

    `crypto` is device.crypto.backend or has its functions. Raises CodecError (and subclasses), SignatureError,
    AlgorithmError, DigestMismatchError, VendorMismatchError, ClassMismatchError, UnsupportedError, and
    ConditionError for one of device identifier, use-before, update-authorised that does not hold.
    """
    content = authenticate(data, anchors, crypto)
    _check_members(content)
    chunks, firmware = _targets(content, anchors, circumstances)
    text = None if content.text is None else manifest.decode_text(content.text)
    return VerifiedManifest(content.sequence_number, chunks, firmware, text, sha256(data).digest())


def authenticate(data: bytes, anchors: "Anchors", crypto: "Any" = backend) -> "Manifest":
    """Rules 1 to 3: return the manifest that authors of these anchors signed, severed members put back.

    What it asks for is not looked at. Raises CodecError (and subclasses), SignatureError, AlgorithmError,
    DigestMismatchError, UnsupportedError.
    """
    parts = envelope.decode(data)
    _verify_author(parts, anchors, crypto)
    if not crypto.equal(envelope.digest_of(parts.manifest), envelope.decode_digest(parts.digest)):
        raise DigestMismatchError(component="manifest")
    return manifest.resolve(manifest.decode(parts.manifest), parts)


def require_newer(verified: VerifiedManifest, have: int) -> None:
    """Raise SequenceNumberError unless the manifest is newer than sequence number `have` (UP-02)."""
    if verified.sequence_number <= have:
        raise SequenceNumberError(have=have, offered=verified.sequence_number)


def verify_record(data: bytes, typ: str, role: int, anchors: "Anchors", crypto: "Any" = backend) -> bytes:
    """Return the payload of a record of type `typ` that a key of `role` signed (docs/design.md, Anchors).

    At most RECORD_BYTES, STATEMENT_BYTES for the signatory. Raises CodecError (and subclasses), RecordTypeError,
    SignatureError, AlgorithmError, UnsupportedError.
    """
    return verify_record_key(data, typ, role, anchors, crypto)[0]


def verify_record_key(
    data: bytes, typ: str, role: int, anchors: "Anchors", crypto: "Any" = backend
) -> "tuple[bytes, Key]":
    """The same, and the key that signed: what a tracker says is good inside its key's interval only."""
    limit = STATEMENT_BYTES if role == ROLE_SIGNATORY else RECORD_BYTES
    record, signer = _record(data, typ, limit)
    key = find_key(anchors, signer.key_id, role)
    verify_signer(record, signer, key, typ.encode("utf-8"), None, crypto)
    return record.payload, key


def verify_record_with(data: bytes, typ: str, key: "Key", crypto: "Any" = backend) -> bytes:
    """The same for one given key, whatever key id the record names: a device's hello, checked by a station."""
    record, signer = _record(data, typ, RECORD_BYTES)
    verify_signer(record, signer, key, typ.encode("utf-8"), None, crypto)
    payload: bytes = record.payload
    return payload


def _record(data: bytes, typ: str, limit: int) -> "tuple[cose.Signed, cose.Signer]":
    record = cose.decode(data, limit)
    if record.typ != typ:
        raise RecordTypeError(wanted=typ)
    if len(record.signers) != 1 or record.signers[0].protected is not None:
        raise UnsupportedError(what="COSE_Sign for a record")
    if record.payload is None:
        raise UnsupportedError(what="detached payload of a record")
    return record, record.signers[0]


def _verify_author(parts: "Envelope", anchors: "Anchors", crypto: "Any") -> None:
    """Rules 1 (signatures) and 2: as many different authors as the policy asks for; SIGNATURES_TRIED at most."""
    require(author_messages(parts), anchors, policy_of(anchors, ROLE_AUTHOR), b"", parts.digest, crypto)


def author_messages(parts: "Envelope") -> "list[cose.Signed]":
    """Return the signatures of an envelope, the structure of all checked before any cryptography.

    Raises CodecError (and subclasses), LimitError past SIGNATURES_TRIED.
    """
    messages = [cose.decode(data) for data in parts.signatures]
    for message in messages:
        if message.payload is not None:
            raise CoseError(reason="two payloads")
    if sum([len(message.signers) for message in messages]) > SIGNATURES_TRIED:
        raise LimitError(what="SUIT signatures", limit=SIGNATURES_TRIED)
    return messages


def _check_members(content: "Manifest") -> None:
    """Rule 4: nothing that is not carried out. A reference URI is for people (draft 8.4.3) and asks for nothing."""
    if content.components != COMPONENTS:
        raise UnsupportedError(what="components")
    for number in sorted(content.sequences):
        if number not in (registry.MEMBER_VALIDATE, registry.MEMBER_INSTALL):
            raise UnsupportedError(what=_member(number))
    for number in sorted(content.severed):
        if number != registry.MEMBER_TEXT:  # text is for people; a unit does without it
            raise UnsupportedError(what="severed " + _member(number))
    if registry.MEMBER_INSTALL not in content.sequences:
        raise SuitError(reason="missing", member="suit-install")


def _member(number: int) -> str:
    return registry.name_of(registry.MANIFEST_MEMBERS, number, "manifest member")


class _Survey:
    """Rules 5 and 6: what both components are to become, found by running the manifest without doing it."""

    def __init__(self, anchors: "Anchors", circumstances: Circumstances) -> None:
        self._anchors = anchors
        self._circumstances = circumstances
        self._is_vendor = self._is_class = False
        self._mismatch: "FirstbootError | None" = None
        self._matched = 0
        self.fetched: "list[Target]" = []

    def run(self, shared: "list[Any]", sequence: "list[Any]", is_install: bool) -> None:
        """Answer every effect of shared sequence and `sequence`. Raises the reason why a condition does not hold."""
        running = commands.run((shared, sequence), len(COMPONENTS))
        answer: "bool | None" = None
        try:
            while True:
                answer = self._answer(running.send(answer), is_install)
        except StopIteration:
            return
        except ConditionError as error:
            section = registry.MEMBER_INSTALL if is_install else registry.MEMBER_VALIDATE
            reason = self._mismatch or error
            for name in ("component", "sequence", "index"):
                reason.fields[name] = error.fields[name]
            reason.fields["section"] = section
            raise reason
        finally:
            running.close()

    def _answer(self, effect: "Any", is_install: bool) -> bool:
        mismatch = self._circumstance(effect)
        if mismatch is None:
            if isinstance(effect, commands.MatchImage):
                self._match(effect, is_install)
            elif isinstance(effect, commands.Fetch) and is_install:
                self._fetch(effect)
            elif not isinstance(effect, _CONDITIONS):
                place = "" if is_install else " in suit-validate"
                raise UnsupportedError(what=_effect_name(effect) + place)
        self._mismatch = mismatch or self._mismatch
        return mismatch is None

    def _circumstance(self, effect: "Any") -> "FirstbootError | None":
        """Why a condition about this unit does not hold; None where it does, or where the effect is another one."""
        around = self._circumstances
        if isinstance(effect, commands.MatchVendor):
            self._is_vendor = effect.identifier == self._anchors.vendor_id
            return None if self._is_vendor else VendorMismatchError(offered=_hex(effect.identifier))
        if isinstance(effect, commands.MatchClass):
            self._is_class = effect.identifier == self._anchors.class_id
            return None if self._is_class else ClassMismatchError(offered=_hex(effect.identifier))
        if isinstance(effect, commands.MatchDevice):
            is_ours = around.device_id is not None and effect.identifier == around.device_id
            return None if is_ours else ConditionError(command="suit-condition-device-identifier")
        if isinstance(effect, commands.UseBefore):
            # Without trusted time nobody can say that it is not too late (update-management 6.1).
            is_before = around.now_s is not None and around.now_s < effect.time_s
            return None if is_before else ConditionError(command="suit-condition-use-before")
        if isinstance(effect, commands.Authorise):
            is_agreed = around.authorise is not None and around.authorise(effect.priority)
            return None if is_agreed else ConditionError(command="suit-condition-update-authorized")
        return None

    def _fetch(self, effect: "Any") -> None:
        if not (self._is_vendor and self._is_class):
            raise SuitError(reason="fetch before the vendor and class conditions")
        if effect.digest is None or effect.size is None:
            raise SuitError(reason="not set", parameter="suit-parameter-image-digest or -size")
        # Chunk list first, each component once, and matched before the next is fetched.
        if effect.component != len(self.fetched) or self._matched != len(self.fetched):
            raise SuitError(reason="order of fetches")
        self.fetched.append(Target(effect.digest, effect.size, effect.uri))

    def _match(self, effect: "Any", is_install: bool) -> None:
        """What is matched is what was fetched. The boot ROM validates the image at every start; suit-validate may ask
        for exactly that."""
        if effect.component >= len(self.fetched):
            raise SuitError(reason="image match of what was not fetched")
        target = self.fetched[effect.component]
        if effect.digest != target.digest or effect.size != target.size:
            raise SuitError(reason="image match of something else than was fetched")
        if is_install:
            self._matched = max(self._matched, effect.component + 1)

    def targets(self) -> "tuple[Target, Target]":
        """Chunk list and firmware. Raises SuitError where one is not fetched and matched."""
        if self._matched != len(COMPONENTS):
            raise SuitError(reason="a component is not fetched and matched")
        _check_sizes(self.fetched[CHUNKS], self.fetched[FIRMWARE])
        return self.fetched[CHUNKS], self.fetched[FIRMWARE]


def _targets(
    content: "Manifest", anchors: "Anchors", circumstances: Circumstances
) -> "tuple[Target, Target]":
    survey = _Survey(anchors, circumstances)
    survey.run(content.shared, content.sequences[registry.MEMBER_INSTALL], True)
    validate = content.sequences.get(registry.MEMBER_VALIDATE)
    if validate is not None:
        survey.run(content.shared, validate, False)
    return survey.targets()


def _effect_name(effect: "Any") -> str:
    """The draft's name of an effect that this unit does not carry out."""
    for kind, command in _NOT_DONE:
        if isinstance(effect, kind):
            return commands.name(command)
    return "command"


def _hex(data: bytes) -> str:
    return hexlify(data).decode()


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

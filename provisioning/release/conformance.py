"""Checks any SUIT envelope with the device's own codecs: accepted, or refused with the reason.

A unit takes only the components of docs/reference/releases.md. This is the draft's whole manifest processor over an
imaginary store: it accepts what the manifest states about its payloads, and it detects contradictions in the manifest.
Rules:
1. Structure, signatures, digests, severed members: the same checks as a unit (device.trust, device.suit).
2. Update procedure, then invocation procedure (draft-ietf-suit-manifest 6.3): payload-fetch, install, validate;
   validate, load, invoke. The shared sequence runs before each.
3. Vendor and class conditions come before every directive. A value that the recipient does not give is not compared.
4. A severed sequence that is not in the envelope is skipped: an envelope may be stored without it after the
   installation (draft 5.5). A unit refuses to install from such an envelope.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from device.crypto import backend
from device.errors import (
    ClassMismatchError,
    ConditionError,
    DigestMismatchError,
    FirstbootError,
    SequenceNumberError,
    SuitError,
    VendorMismatchError,
)
from device.suit import commands, registry
from device.suit import envelope as suit_envelope
from device.suit import manifest as suit_manifest
from device.suit.manifest import Manifest
from device.trust import signatures
from device.trust.anchors import ROLE_AUTHOR, Anchors, Key, Policy, Rules
from device.trust.verify import author_messages
from provisioning.keys.public_keys import PublicKey

UPDATE: Final = (registry.MEMBER_PAYLOAD_FETCH, registry.MEMBER_INSTALL, registry.MEMBER_VALIDATE)
INVOCATION: Final = (registry.MEMBER_VALIDATE, registry.MEMBER_LOAD, registry.MEMBER_INVOKE)


@dataclass(frozen=True)
class Recipient:
    """The unit of the check. None: not compared.

    Ids have 16 bytes; `now_s` is in unix seconds; `slot` is the slot of every component.
    """

    vendor_id: bytes | None = None
    class_id: bytes | None = None
    device_id: bytes | None = None
    installed_sequence: int | None = None
    now_s: int | None = None
    slot: int | None = None


@dataclass
class StubStore:
    """Answers each effect as a store with the content that the manifest names; records what was done."""

    recipient: Recipient
    contents: dict[int, bytes | None] = field(
        default_factory=dict
    )  # component -> digest; None, absent: unknown
    done: list[Any] = field(default_factory=list)
    mismatch: FirstbootError | None = None
    _seen: set[type] = field(default_factory=set)

    def answer(self, effect: Any) -> bool:
        """Return whether the effect succeeded. If not, `mismatch` can hold a more exact error than the condition."""
        if isinstance(effect, commands.MatchVendor):
            return self._identity(effect, self.recipient.vendor_id, VendorMismatchError)
        if isinstance(effect, commands.MatchClass):
            return self._identity(effect, self.recipient.class_id, ClassMismatchError)
        holds = self._circumstance(effect)
        if holds is None:
            holds = self._content(effect)
        if holds is None:
            self._act(effect)
        return holds is not False

    def _circumstance(self, effect: Any) -> bool | None:
        """Return whether a condition about the recipient holds; None for every other effect."""
        if isinstance(effect, commands.MatchDevice):
            return self.recipient.device_id in (None, effect.identifier)
        if isinstance(effect, commands.MatchSlot):
            return self.recipient.slot in (None, effect.slot)
        if isinstance(effect, commands.UseBefore):
            return self.recipient.now_s is None or self.recipient.now_s < effect.time_s
        return True if isinstance(effect, commands.Authorise) else None

    def _content(self, effect: Any) -> bool | None:
        """Return whether a condition about a component holds; None for every other effect."""
        if isinstance(effect, commands.MatchImage):
            return self.contents.setdefault(effect.component, effect.digest) in (None, effect.digest)
        if isinstance(effect, commands.MatchContent):
            return self.contents.get(effect.component) in (None, hashlib.sha256(effect.content).digest())
        return None

    def _identity(self, effect: Any, own: bytes | None, error: type[FirstbootError]) -> bool:
        if own is not None and effect.identifier != own:
            self.mismatch = error(offered=effect.identifier.hex())
            return False
        self._seen.add(type(effect))
        return True

    def _act(self, effect: Any) -> None:
        if {commands.MatchVendor, commands.MatchClass} - self._seen:
            raise SuitError(reason="directive before the vendor and class conditions")
        self.done.append(effect)
        if isinstance(effect, commands.Fetch):
            self.contents[effect.component] = effect.digest
        elif isinstance(effect, commands.Write):
            self.contents[effect.component] = hashlib.sha256(effect.content).digest()
        elif isinstance(effect, commands.Copy):
            self.contents.pop(effect.component, None)  # a store may unpack or decrypt what it copies
        elif isinstance(effect, commands.Swap):
            first, second = self.contents.get(effect.component), self.contents.get(effect.source)
            self.contents[effect.component], self.contents[effect.source] = second, first


def check(
    data: bytes,
    keys: Sequence[PublicKey],
    recipient: Recipient = Recipient(),
    *,
    threshold: int = 1,
    required: Sequence[int] = (),
) -> StubStore:
    """Return what the manifest would have done. Raises the FirstbootError that refuses it.

    `threshold` of `keys` must have signed, `required` algorithms among them.
    """
    parts = suit_envelope.decode(data)
    require_signed(parts, keys, Policy(ROLE_AUTHOR, threshold, tuple(required)))
    if suit_envelope.digest_of(parts.manifest) != suit_envelope.decode_digest(parts.digest):
        raise DigestMismatchError(component="manifest")
    content = suit_manifest.resolve(suit_manifest.decode(parts.manifest), parts)
    have = recipient.installed_sequence
    if have is not None and content.sequence_number <= have:
        raise SequenceNumberError(have=have, offered=content.sequence_number)
    if content.text is not None:
        suit_manifest.decode_text(content.text)
    store = StubStore(recipient)
    for procedure in (UPDATE, INVOCATION):
        _run(content, procedure, store)
    return store


def require_signed(parts: Any, keys: Sequence[PublicKey], policy: Policy) -> None:
    """Raise the error of device.trust unless enough of `keys` signed. A key without a key id fits every key id."""
    messages = author_messages(parts)
    anchors_keys = []
    for number, key in enumerate(keys):
        name = b"anchor %d" % number if key.key_id is None else key.key_id
        anchors_keys.append(Key(name, key.algorithm, ROLE_AUTHOR, key.public))
    named = {key.key_id for key in keys if key.key_id is not None}
    nameless = [anchor.key_id for anchor, key in zip(anchors_keys, keys, strict=True) if key.key_id is None]
    # Each key without a key id is tried for every signature with an unknown key id: at most signatures times keys.
    tried = [_with_names(message, named, nameless) for message in messages]
    anchors = Anchors(bytes(16), bytes(16), tuple(anchors_keys), 0, 0, Rules((policy,), (), 0, ()))
    signatures.require(tried, anchors, policy, b"", parts.digest, backend)


def _with_names(message: Any, named: set[bytes], nameless: list[bytes]) -> Any:
    signers = []
    for signer in message.signers:
        names = [signer.key_id] if signer.key_id in named or not nameless else nameless
        signers += [signer._replace(key_id=name) for name in names]
    return message._replace(signers=tuple(signers))


def _run(content: Manifest, procedure: Sequence[int], store: StubStore) -> None:
    for number in procedure:
        if number in content.sequences:
            _run_sequence(content, number, store)


def _run_sequence(content: Manifest, number: int, store: StubStore) -> None:
    running = commands.run((content.shared, content.sequences[number]), len(content.components))
    answer: bool | None = None
    try:
        while True:
            answer = store.answer(running.send(answer))
    except StopIteration:
        return
    except ConditionError as error:
        raise store.mismatch or error from None


def reason(error: FirstbootError) -> str:
    """Return the kind of a refusal as one word, as in tests/vectors: "signature", "digest-mismatch", ..."""
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def explain(error: FirstbootError) -> str:
    """Return the refusal in one line: its kind, then its fields. Control characters are replaced for terminals."""
    fields = [f"{name}={error.fields[name]}" for name in sorted(error.fields) if name != "reason"]
    text = " ".join([str(error.fields.get("reason", "")), *fields]).strip()
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return f"{reason(error)}: {shown}" if shown else reason(error)

"""The SUIT manifest: version, sequence number, components, command sequences, severable text.

draft-ietf-suit-manifest 8.4. To be called with authenticated bytes only. Members of the draft are split
apart, whatever they are; what this project does with them is decided where they are run (`commands`,
`trust.verify`). A member that the draft does not have is refused by name.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import DigestMismatchError, LimitError, SuitError, UnsupportedError
from device.limits import SUIT_COMPONENTS
from device.suit import commands, registry
from device.suit.envelope import check_digest, digest_of

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.suit.envelope import Envelope

# `components`: tuple of component identifiers, each a tuple of byte strings; `shared`: the shared sequence;
# `sequences`: member number -> list of commands; `severed`: member number -> SHA-256 digest.
Manifest = namedtuple(
    "Manifest",
    ("sequence_number", "components", "shared", "sequences", "severed", "text", "reference_uri"),
)
# What people read about a release (UP-07), in the language that was chosen.
Text = namedtuple("Text", ("version", "mitigates", "interrupts"))

LANGUAGE = "en"


def decode(data: bytes) -> Manifest:
    """Return the parts of an encoded SUIT_Manifest. Raises CborError, SuitError, UnsupportedError."""
    members = cbor.decode(data)
    if not isinstance(members, dict):
        raise SuitError(reason="manifest is no map")
    for number in members:
        if not registry.has(registry.MANIFEST_MEMBERS, number):
            raise UnsupportedError(what=registry.name_of((), number, "manifest member"))
    if _unsigned(members, registry.MEMBER_VERSION) != registry.MANIFEST_VERSION:
        raise UnsupportedError(what="manifest version")
    components, shared = _common(members.get(registry.MEMBER_COMMON))
    sequences = {}
    severed = {}
    for number in registry.SEQUENCE_MEMBERS:
        if number not in members:
            continue
        value = members[number]
        if isinstance(value, list) and number in registry.SEVERABLE_MEMBERS:
            severed[number] = check_digest(value)
        else:
            sequences[number] = commands.decode(_bytes(value, number))
    text = members.get(registry.MEMBER_TEXT)
    if isinstance(text, list):
        severed[registry.MEMBER_TEXT] = check_digest(text)
        text = None
    elif registry.MEMBER_TEXT in members:
        text = _bytes(text, registry.MEMBER_TEXT)
    sequence_number = _unsigned(members, registry.MEMBER_SEQUENCE_NUMBER)
    return Manifest(sequence_number, components, shared, sequences, severed, text, _reference_uri(members))


def resolve(content: Manifest, parts: "Envelope") -> Manifest:
    """Return the manifest with its severed members put back that stand beside it with the right digest (draft 8.5).

    What is not there stays in `severed`: whoever needs it refuses. Raises SuitError for a member beside the manifest
    that has no digest inside, DigestMismatchError, and what decode raises.
    """
    sequences = dict(content.sequences)
    severed = dict(content.severed)
    text = content.text
    for number in parts.severed:
        if number not in severed:
            raise SuitError(reason="severed member without a digest", member=_member(number))
        data = parts.severed[number]
        if digest_of(data) != severed.pop(number):
            raise DigestMismatchError(component=_member(number))
        if number == registry.MEMBER_TEXT:
            text = data
        else:
            sequences[number] = commands.decode(data)
    return Manifest(
        content.sequence_number,
        content.components,
        content.shared,
        sequences,
        severed,
        text,
        content.reference_uri,
    )


def encode(
    *,
    sequence_number: int,
    components: "tuple[tuple[bytes, ...], ...]",
    shared: bytes,
    sequences: "dict[int, bytes]",
    severed: "dict[int, bytes]",
    reference_uri: "str | None" = None,
) -> bytes:
    """Return an encoded SUIT_Manifest: `sequences` are encoded sequences, `severed` 32-byte digests."""
    members: "dict[int, Any]" = {
        registry.MEMBER_VERSION: registry.MANIFEST_VERSION,
        registry.MEMBER_SEQUENCE_NUMBER: sequence_number,
        registry.MEMBER_COMMON: cbor.encode(
            {registry.COMMON_COMPONENTS: components, registry.COMMON_SHARED_SEQUENCE: shared}
        ),
    }
    for number in sequences:
        members[number] = sequences[number]
    for number in severed:
        members[number] = [registry.DIGEST_SHA256, severed[number]]
    if reference_uri is not None:
        members[registry.MEMBER_REFERENCE_URI] = reference_uri
    return cbor.encode(members)


def decode_text(data: bytes) -> Text:
    """Return what people read: of English where there is English, else of the first language.

    `data` must be authenticated. Absent entries are "". Raises CborError, SuitError, UnsupportedError.
    """
    languages = cbor.decode(data)
    if not isinstance(languages, dict) or not languages:
        raise SuitError(reason="text is no map of languages")
    for language in languages:
        if not isinstance(language, str) or not isinstance(languages[language], dict):
            raise SuitError(reason="text is no map of languages")
    entries = languages[LANGUAGE if LANGUAGE in languages else sorted(languages)[0]]
    for key in entries:
        if not registry.has(registry.TEXTS, key):
            raise UnsupportedError(what=registry.name_of((), key, "text"))
        if not isinstance(entries[key], str):
            raise SuitError(reason="text entry is no text")
    return Text(
        entries.get(registry.TEXT_FIRSTBOOT_VERSION, ""),
        entries.get(registry.TEXT_UPDATE_DESCRIPTION, ""),
        entries.get(registry.TEXT_FIRSTBOOT_INTERRUPTS, ""),
    )


def encode_text(text: Text) -> bytes:
    """Return the encoded SUIT_Text_Map with `text` in English."""
    return cbor.encode(
        {
            LANGUAGE: {
                registry.TEXT_UPDATE_DESCRIPTION: text.mitigates,
                registry.TEXT_FIRSTBOOT_VERSION: text.version,
                registry.TEXT_FIRSTBOOT_INTERRUPTS: text.interrupts,
            }
        }
    )


def _common(value: "Any") -> "tuple[tuple[tuple[bytes, ...], ...], list[Any]]":
    common = cbor.decode(_bytes(value, registry.MEMBER_COMMON))
    if not isinstance(common, dict):
        raise SuitError(reason="common is no map")
    for number in common:
        if number not in (registry.COMMON_COMPONENTS, registry.COMMON_SHARED_SEQUENCE):
            raise UnsupportedError(what=registry.name_of((), number, "common member"))
    components = common.get(registry.COMMON_COMPONENTS)
    if not isinstance(components, list) or not components:
        raise SuitError(reason="no components")
    if len(components) > SUIT_COMPONENTS:
        raise LimitError(what="SUIT components", limit=SUIT_COMPONENTS)
    identifiers = _identifiers(components)
    shared = common.get(registry.COMMON_SHARED_SEQUENCE)
    if shared is None:
        return identifiers, []
    return identifiers, commands.decode(_bytes(shared, registry.MEMBER_COMMON), True)


def _identifiers(components: "list[Any]") -> "tuple[tuple[bytes, ...], ...]":
    identifiers: "list[tuple[bytes, ...]]" = []
    for component in components:
        if not isinstance(component, list) or not component:
            raise SuitError(reason="component identifier is no list")
        for part in component:
            if not isinstance(part, bytes):
                raise SuitError(reason="component identifier is not of byte strings")
        if tuple(component) in identifiers:
            raise SuitError(reason="component twice")
        identifiers.append(tuple(component))
    return tuple(identifiers)


def _unsigned(members: "dict[Any, Any]", number: int) -> int:
    value = members.get(number)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SuitError(reason="no unsigned number", member=_member(number))
    return value


def _bytes(value: "Any", number: int) -> bytes:
    if not isinstance(value, bytes):
        raise SuitError(reason="no byte string", member=_member(number))
    return value


def _reference_uri(members: "dict[Any, Any]") -> "str | None":
    """Where a full version lies: for people, carried in reports, never followed (draft 8.4.3)."""
    uri = members.get(registry.MEMBER_REFERENCE_URI)
    if registry.MEMBER_REFERENCE_URI in members and not isinstance(uri, str):
        raise SuitError(reason="no text", member=_member(registry.MEMBER_REFERENCE_URI))
    return uri


def _member(number: int) -> str:
    return registry.name_of(registry.MANIFEST_MEMBERS, number, "manifest member")

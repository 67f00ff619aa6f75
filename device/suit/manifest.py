"""The SUIT manifest: version, sequence number, components, command sequences, severable text.

draft-ietf-suit-manifest 8.4. Call these functions with authenticated bytes only. Rules:
1. All members of the draft are decoded; `commands` and `trust.verify` decide what is carried out. Any other member is
   refused by name.
2. A manifest may have no components, and a component identifier may be empty (CDDL of the draft). A unit takes
   neither (trust/profile.py).
3. In a manifest with several components each sequence begins with set-component-index (draft 6.2).
4. Text is for people. `read_text` returns the readable part and raises nothing, so that text blocks no update;
   `decode_text` is strict, for the checker and the signer (draft 8.4.4).
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const
from device.errors import CodecError, DigestMismatchError, LimitError, SuitError, UnsupportedError
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
# The texts about a release for people (UP-07), in one language.
Text = namedtuple("Text", ("version", "mitigates", "interrupts"))

LANGUAGE = "en"


def decode(data: bytes) -> Manifest:
    """Return the parts of an encoded SUIT_Manifest. Raises CborError, SuitError, UnsupportedError."""
    members = cbor.decode(data)
    if not isinstance(members, dict):
        raise SuitError(reason="manifest is not a map")
    for number in members:
        if not registry.has(registry.MANIFEST_MEMBERS, number):
            raise UnsupportedError(
                what=registry.name_of(registry.OTHER_MANIFEST_MEMBERS, number, "manifest member")
            )
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
            sequences[number] = _sequence(_bytes(value, number), len(components), number)
    text = members.get(registry.MEMBER_TEXT)
    if isinstance(text, list):
        severed[registry.MEMBER_TEXT] = check_digest(text)
        text = None
    elif registry.MEMBER_TEXT in members:
        text = _bytes(text, registry.MEMBER_TEXT)
    sequence_number = _unsigned(members, registry.MEMBER_SEQUENCE_NUMBER)
    return Manifest(sequence_number, components, shared, sequences, severed, text, _reference_uri(members))


def resolve(content: Manifest, parts: "Envelope") -> Manifest:
    """Return the manifest with those severed members put back that are beside it with the right digest (draft 8.5).

    An absent member stays in `severed`; code that needs it refuses. Raises SuitError for a member beside the manifest
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
            sequences[number] = _sequence(data, len(content.components), number)
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
    """Return the texts for people: in English if there are any, else in the first language.

    `data` must be authenticated. Absent entries are "". Raises CborError, LimitError, SuitError, UnsupportedError.
    """
    languages = cbor.decode(data, has_array_keys=True)
    if not isinstance(languages, dict) or not languages:
        raise SuitError(reason="text is not a map of languages")
    for language in languages:
        if not isinstance(language, str) or not isinstance(languages[language], dict):
            raise SuitError(reason="text is not a map of languages")
        for key in languages[language]:
            _check_text(key, languages[language][key])
    return _text(languages)


def read_text(data: bytes) -> Text:
    """Return the texts as decode_text does, with "" for each entry that cannot be read. Raises nothing.

    `data` must be authenticated.
    """
    try:
        languages = cbor.decode(data, has_array_keys=True)
    except CodecError:
        languages = {}
    found = {}
    if isinstance(languages, dict):
        for language in languages:
            if isinstance(language, str) and isinstance(languages[language], dict):
                found[language] = languages[language]
    return _text(found)


def _text(languages: "dict[str, dict[Any, Any]]") -> Text:
    """Return the entries of the language that is shown; "" for an entry that is absent or is not text."""
    entries: "dict[Any, Any]" = {}
    if languages:
        entries = languages[LANGUAGE if LANGUAGE in languages else sorted(languages)[0]]
    texts = []
    for key in (
        registry.TEXT_FIRSTBOOT_VERSION,
        registry.TEXT_UPDATE_DESCRIPTION,
        registry.TEXT_FIRSTBOOT_INTERRUPTS,
    ):
        text = entries.get(key, "")
        texts.append(text if isinstance(text, str) else "")
    return Text(texts[0], texts[1], texts[2])


def _check_text(key: "Any", value: "Any") -> None:
    """Check one entry of a language: a text, or under a component identifier a map of texts (SUIT_Text_LMap)."""
    if isinstance(key, tuple):
        is_good = isinstance(value, dict)
        for part in key:
            is_good = is_good and isinstance(part, bytes)
        for number in value if is_good else ():
            if not registry.has(registry.COMPONENT_TEXTS, number):
                raise UnsupportedError(what=registry.name_of((), number, "text of a component"))
            is_good = is_good and isinstance(value[number], str)
    elif not registry.has(registry.TEXTS, key):
        raise UnsupportedError(what=registry.name_of((), key, "text"))
    else:
        is_good = isinstance(value, str)
    if not is_good:
        raise SuitError(reason="text entry is not a text")


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
        raise SuitError(reason="common is not a map")
    for number in common:
        if number not in (registry.COMMON_COMPONENTS, registry.COMMON_SHARED_SEQUENCE):
            raise UnsupportedError(
                what=registry.name_of(registry.OTHER_COMMON_MEMBERS, number, "common member")
            )
    identifiers: "tuple[tuple[bytes, ...], ...]" = ()
    if registry.COMMON_COMPONENTS in common:
        identifiers = _identifiers(common[registry.COMMON_COMPONENTS])
    shared = common.get(registry.COMMON_SHARED_SEQUENCE)
    if shared is None:
        return identifiers, []
    return identifiers, _sequence(
        _bytes(shared, registry.MEMBER_COMMON), len(identifiers), registry.MEMBER_COMMON, True
    )


def _sequence(data: bytes, component_count: int, member: int, is_shared: bool = False) -> "list[Any]":
    """Return the commands of a sequence, checked by rule 3."""
    found = commands.decode(data, is_shared)
    if component_count > 1 and found[0][0] != registry.DIRECTIVE_SET_COMPONENT_INDEX:
        raise SuitError(reason="sequence does not begin with set-component-index", member=_member(member))
    return found


def _identifiers(components: "Any") -> "tuple[tuple[bytes, ...], ...]":
    if not isinstance(components, list) or not components:
        raise SuitError(reason="no components")
    if len(components) > SUIT_COMPONENTS:
        raise LimitError(what="SUIT components", limit=SUIT_COMPONENTS)
    identifiers: "list[tuple[bytes, ...]]" = []
    for component in components:
        if not isinstance(component, list):
            raise SuitError(reason="component identifier is not a list")
        for part in component:
            if not isinstance(part, bytes):
                raise SuitError(reason="component identifier is not a list of byte strings")
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
        raise SuitError(reason="not a byte string", member=_member(number))
    return value


def _reference_uri(members: "dict[Any, Any]") -> "str | None":
    """Return where a full version is: for people, carried in reports, never followed (draft 8.4.3)."""
    uri = members.get(registry.MEMBER_REFERENCE_URI)
    if registry.MEMBER_REFERENCE_URI in members and not isinstance(uri, str):
        raise SuitError(reason="not a text", member=_member(registry.MEMBER_REFERENCE_URI))
    return uri


def _member(number: int) -> str:
    return registry.name_of(registry.MANIFEST_MEMBERS, number, "manifest member")

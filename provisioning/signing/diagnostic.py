"""CBOR diagnostic notation (RFC 8949 section 8) with names beside the numbers, as the SUIT draft prints it.

Byte strings that hold CBOR by their place in an envelope are opened (`<< ... >>`); nothing is guessed.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from device.codec import cbor
from device.suit import registry

INDENT: Final = "  "
HEX_WIDTH: Final = 32  # bytes to a line
LINE_WIDTH: Final = 88

_COSE_HEADERS: Final = ((1, "alg"), (3, "content type"), (4, "kid"), (16, "typ"))
_COMMON: Final = ((2, "suit-components"), (4, "suit-shared-sequence"))
_WITH_SEQUENCE: Final = registry.SEQUENCE_MEMBERS


class Opened(NamedTuple):
    """A byte string shown as the CBOR inside it."""

    value: Any


class Named(NamedTuple):
    """A map with names for its keys; entries are (key, name, value)."""

    entries: list[tuple[Any, str, Any]]


class Commands(NamedTuple):
    """A command sequence; entries are (number, name, argument)."""

    entries: list[tuple[int, str, Any]]


def notation(value: Any, indent: str = "") -> str:
    """`value` (decoded CBOR, or one of the classes here) as diagnostic notation, one line where it fits."""
    if isinstance(value, Opened):
        return f"<< {notation(value.value, indent)} >>"
    if isinstance(value, cbor.Tag):
        return f"{value.number}({notation(value.value, indent)})"
    if isinstance(value, Named | dict):
        return _block("{", _pairs(value, indent + INDENT), "}", indent)
    if isinstance(value, Commands | list):
        return _block("[", _items(value, indent + INDENT), "]", indent)
    return _leaf(value, indent)


def _pairs(value: Named | dict[Any, Any], indent: str) -> list[str]:
    if isinstance(value, dict):
        return [f"{notation(key)}: {notation(value[key], indent)}" for key in value]
    return [f"/ {name} / {notation(key)}: {notation(one, indent)}" for key, name, one in value.entries]


def _items(value: Commands | list[Any], indent: str) -> list[str]:
    if isinstance(value, list):
        return [notation(one, indent) for one in value]
    return [f"/ {name} / {number}, {notation(one, indent)}" for number, name, one in value.entries]


def envelope_notation(data: bytes) -> str:
    """A SUIT envelope in diagnostic notation. Raises CodecError where it is none; verifies nothing."""
    tag = cbor.decode(data)
    if not isinstance(tag, cbor.Tag) or not isinstance(tag.value, dict):
        return notation(tag)
    entries = [
        (number, _name(registry.ENVELOPE_MEMBERS, number), _envelope_member(number, tag.value[number]))
        for number in tag.value
    ]
    return notation(cbor.Tag(tag.number, Named(entries)))


def _leaf(value: Any, indent: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        lines = [value[at : at + HEX_WIDTH].hex() for at in range(0, len(value), HEX_WIDTH)]
        return f"h'{(chr(10) + indent + INDENT).join(lines)}'"
    return json.dumps(value) if isinstance(value, str) else str(value)  # ASCII: no escape reaches a terminal


def _block(left: str, parts: list[str], right: str, indent: str) -> str:
    line = f"{left}{', '.join(parts)}{right}"
    if len(indent) + len(line) <= LINE_WIDTH and "\n" not in line:
        return line
    inner = ",\n".join(f"{indent}{INDENT}{part}" for part in parts)
    return f"{left}\n{inner}\n{indent}{right}"


def _name(table: Any, number: Any) -> str:
    return str(registry.name_of(table, number, "unknown"))


def _opened(value: Any) -> Any:
    """The CBOR inside a byte string that must hold some; the value itself where it holds none."""
    if not isinstance(value, bytes):
        return value
    return cbor.decode(value)


def _envelope_member(number: Any, value: Any) -> Any:
    if number == registry.AUTHENTICATION_WRAPPER:
        parts = _opened(value)
        if not isinstance(parts, list) or not parts:
            return Opened(parts)
        return Opened([Opened(_opened(parts[0])), *(Opened(_cose(_opened(part))) for part in parts[1:])])
    if number == registry.MANIFEST:
        return Opened(_manifest(_opened(value)))
    return _manifest_member(number, value)


def _manifest(members: Any) -> Any:
    if not isinstance(members, dict):
        return members
    return Named(
        [
            (number, _name(registry.MANIFEST_MEMBERS, number), _manifest_member(number, members[number]))
            for number in members
        ]
    )


def _manifest_member(number: Any, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    if number == registry.MEMBER_COMMON:
        common = _opened(value)
        if not isinstance(common, dict):
            return Opened(common)
        return Opened(Named([(key, _name(_COMMON, key), _common_member(key, common[key])) for key in common]))
    if number in _WITH_SEQUENCE:
        return Opened(_sequence(_opened(value)))
    if number == registry.MEMBER_TEXT:
        return Opened(_text(_opened(value)))
    return value


def _common_member(number: Any, value: Any) -> Any:
    is_sequence = number == registry.COMMON_SHARED_SEQUENCE and isinstance(value, bytes)
    return Opened(_sequence(_opened(value))) if is_sequence else value


def _sequence(items: Any) -> Any:
    if not isinstance(items, list) or len(items) % 2:
        return items
    return Commands(
        [
            (items[at], _name(registry.COMMANDS, items[at]), _argument(items[at], items[at + 1]))
            for at in range(0, len(items), 2)
        ]
    )


def _argument(command: Any, value: Any) -> Any:
    if command == registry.DIRECTIVE_OVERRIDE_PARAMETERS and isinstance(value, dict):
        return Named(
            [
                (
                    number,
                    _name(registry.PARAMETERS, number),
                    Opened(_opened(value[number]))
                    if number == registry.PARAMETER_IMAGE_DIGEST
                    else value[number],
                )
                for number in value
            ]
        )
    if isinstance(value, list) and all(isinstance(one, bytes) for one in value):
        return [Opened(_sequence(_opened(one))) for one in value]  # try-each
    return value


def _text(languages: Any) -> Any:
    if not isinstance(languages, dict) or not all(isinstance(one, dict) for one in languages.values()):
        return languages
    return {
        language: Named([(key, _name(registry.TEXTS, key), entries[key]) for key in entries])
        for language, entries in languages.items()
    }


def _cose(message: Any) -> Any:
    if not isinstance(message, cbor.Tag) or not isinstance(message.value, list) or len(message.value) != 4:
        return message
    protected, unprotected, *rest = message.value
    inside = _opened(protected) if protected else {}
    return cbor.Tag(message.number, [Opened(_headers(inside)), _headers(unprotected), *rest])


def _headers(headers: Any) -> Any:
    if not isinstance(headers, dict):
        return headers
    return Named([(label, _name(_COSE_HEADERS, label), headers[label]) for label in headers])

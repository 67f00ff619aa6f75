"""CBOR diagnostic notation (RFC 8949 section 8) with names beside the numbers, as the SUIT draft prints it.

A byte string is shown as CBOR (`<< ... >>`) only if its position in the envelope says that it contains CBOR. No library
for this notation writes names beside the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from device.codec import cbor
from device.errors import CodecError
from device.suit import registry

INDENT: Final = "  "
HEX_WIDTH: Final = 32  # bytes to a line
LINE_WIDTH: Final = 88

_COSE_HEADERS: Final = ((1, "alg"), (3, "content type"), (4, "kid"), (16, "typ"))
_COMMON: Final = ((2, "suit-components"), (4, "suit-shared-sequence"))


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
    """`value` (decoded CBOR, or one of the classes here) as diagnostic notation, on one line if it fits."""
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
    """Return a SUIT envelope in diagnostic notation. Raises CodecError if the bytes are not CBOR; verifies nothing."""
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


def _opened(value: Any, show: Callable[[Any], Any] = lambda inside: inside) -> Any:
    """Return a byte string as the CBOR inside it, shown by `show`; unchanged if it holds none."""
    if not isinstance(value, bytes):
        return value
    try:
        return Opened(show(cbor.decode(value)))
    except CodecError:
        return value


def _envelope_member(number: Any, value: Any) -> Any:
    if number == registry.AUTHENTICATION_WRAPPER:
        return _opened(value, _authentication)
    if number == registry.MANIFEST:
        return _opened(value, _manifest)
    return _manifest_member(number, value)


def _authentication(parts: Any) -> Any:
    if not isinstance(parts, list) or not parts:
        return parts
    return [_opened(parts[0]), *(_opened(part, _cose) for part in parts[1:])]


def _named(table: registry.Table, members: Any, show: Callable[[Any, Any], Any]) -> Any:
    """Return a map with the names of `table`, each value shown by `show(key, value)`."""
    if not isinstance(members, dict):
        return members
    return Named([(key, _name(table, key), show(key, members[key])) for key in members])


def _manifest(members: Any) -> Any:
    return _named(registry.MANIFEST_MEMBERS, members, _manifest_member)


def _manifest_member(number: Any, value: Any) -> Any:
    if number == registry.MEMBER_COMMON:
        return _opened(value, lambda common: _named(_COMMON, common, _common_member))
    if number in registry.SEQUENCE_MEMBERS:
        return _opened(value, _sequence)
    if number == registry.MEMBER_TEXT:
        return _opened(value, _text)
    return value


def _common_member(number: Any, value: Any) -> Any:
    return _opened(value, _sequence) if number == registry.COMMON_SHARED_SEQUENCE else value


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
    if command == registry.DIRECTIVE_OVERRIDE_PARAMETERS:
        return _named(registry.PARAMETERS, value, _parameter)
    if isinstance(value, list):  # try-each
        return [_opened(one, _sequence) for one in value]
    return value


def _parameter(number: Any, value: Any) -> Any:
    return _opened(value) if number == registry.PARAMETER_IMAGE_DIGEST else value


def _text(languages: Any) -> Any:
    if not isinstance(languages, dict):
        return languages
    return {
        language: _named(registry.TEXTS, entries, lambda _, value: value)
        for language, entries in languages.items()
    }


def _cose(message: Any) -> Any:
    if not isinstance(message, cbor.Tag) or not isinstance(message.value, list) or len(message.value) != 4:
        return message
    protected, unprotected, *rest = message.value
    return cbor.Tag(message.number, [_opened(protected, _headers), _headers(unprotected), *rest])


def _headers(headers: Any) -> Any:
    return _named(_COSE_HEADERS, headers, lambda _, value: value)

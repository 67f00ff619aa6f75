"""What a definition in TOML may hold, as data: the parser reads by it, the JSON schema is written from it.

Rules:
1. One kind of value is one class: what it accepts, in words for a person, and as JSON Schema 2020-12. A test holds the
   two against each other; nothing about a field stands in a second place.
2. A wrong value is a problem in the list, and `blank` stands in for it, so that the rest can be looked at too.
3. JSON has no dates: in the schema a date is a text of format "date", as editors for TOML read it.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from provisioning.product.lettering import unprintable
from provisioning.product.public_texts import LINE, LINE_HINT
from provisioning.product.tables import Table

LINE_CHARS: Final = 200
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
_REQUIRED: Final = object()


class Kind(Protocol):
    """One kind of value. `default`: what stands for a field that was left out; required where there is none."""

    @property
    def hint(self) -> str: ...
    @property
    def blank(self) -> Any: ...
    @property
    def default(self) -> Any: ...
    def accepts(self, value: Any) -> bool: ...
    def made(self, value: Any) -> Any: ...
    def schema(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Text:
    """One line of at most 200 characters that fits `pattern`, and `found` somewhere in it."""

    pattern: re.Pattern[str] = LINE
    hint: str = LINE_HINT
    found: re.Pattern[str] | None = None
    most: int = LINE_CHARS
    default: Any = _REQUIRED
    blank: str = ""

    def accepts(self, value: Any) -> bool:
        return (
            isinstance(value, str)
            and 0 < len(value) <= self.most
            and self.pattern.fullmatch(value) is not None
            and (self.found is None or self.found.search(value) is not None)
        )

    def reason(self, value: Any) -> str:
        """Why a value is refused, as precisely as it can be known."""
        if isinstance(value, str) and len(value) > self.most:
            return f"must have at most {self.most} characters, it has {len(value)}"
        if isinstance(value, str) and (other := unprintable(value)):
            return f"has characters that label, insert and PDF cannot print: {', '.join(other)}"
        return self.hint

    def made(self, value: Any) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        patterns = [f"^(?:{self.pattern.pattern})$"] + ([self.found.pattern] if self.found else [])
        rules = [{"pattern": portable(pattern)} for pattern in patterns]
        shown = {"type": "string", "minLength": 1, "maxLength": self.most}
        return shown | (rules[0] if len(rules) == 1 else {"allOf": rules})


def portable(pattern: str) -> str:
    """A pattern of Python in the words of JSON Schema (ECMA 262 with Unicode)."""
    return pattern.replace(r"\w", r"\p{L}\p{N}_").replace(r"\d", "[0-9]")


@dataclass(frozen=True)
class Hex(Text):
    """Bytes in hexadecimal digits."""

    def made(self, value: Any) -> Any:
        return bytes.fromhex(value)


@dataclass(frozen=True)
class Identifier(Text):
    """A UUID; its 16 bytes."""

    pattern: re.Pattern[str] = _UUID
    hint: str = "must be a UUID like 7c9e6679-7425-40de-944b-e07fc1f90ae7"

    def made(self, value: Any) -> Any:
        return uuid.UUID(value).bytes if value else b""


@dataclass(frozen=True)
class Number:
    """A whole number within limits, both included."""

    low: int
    high: int
    default: Any = _REQUIRED

    @property
    def hint(self) -> str:
        return f"must be a whole number from {self.low} to {self.high}"

    @property
    def blank(self) -> int:
        return self.low

    def accepts(self, value: Any) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def made(self, value: Any) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Date:
    """A date of TOML, without quotes."""

    default: Any = _REQUIRED
    hint: str = "must be a date like 2031-12-31, without quotes"
    blank: dt.date = dt.date(1970, 1, 1)

    def accepts(self, value: Any) -> bool:
        return type(value) is dt.date

    def made(self, value: Any) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


@dataclass(frozen=True)
class Truth:
    """True or false."""

    default: Any = _REQUIRED
    hint: str = "must be true or false"
    blank: bool = False

    def accepts(self, value: Any) -> bool:
        return isinstance(value, bool)

    def made(self, value: Any) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    allowed: tuple[str, ...]
    default: Any = _REQUIRED

    @property
    def hint(self) -> str:
        return f"must be one of {', '.join(self.allowed)}"

    @property
    def blank(self) -> str:
        return self.allowed[0]

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.allowed

    def made(self, value: Any) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.allowed)}


@dataclass(frozen=True)
class ListOf:
    """One to `most` values of one kind."""

    kind: Kind
    most: int
    hint: str
    default: Any = _REQUIRED
    blank: tuple[str, ...] = ()

    def accepts(self, value: Any) -> bool:
        return isinstance(value, list) and 0 < len(value) <= self.most and all(map(self.kind.accepts, value))

    def made(self, value: Any) -> Any:
        return tuple(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "minItems": 1, "maxItems": self.most, "items": self.kind.schema()}


@dataclass(frozen=True)
class MapOf:
    """A table of one value for each name; all `names` where `is_whole`, any name where there are none."""

    kind: Kind | None  # None: tables, read elsewhere
    hint: str
    names: tuple[str, ...] = ()
    is_whole: bool = False
    default: Any = _REQUIRED
    blank: Mapping[str, Any] = field(default_factory=dict)

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, dict) or (self.names and not set(value) <= set(self.names)):
            return False
        if self.is_whole and set(value) != set(self.names):
            return False
        return all(
            self.kind.accepts(entry) if self.kind else isinstance(entry, dict) for entry in value.values()
        )

    def made(self, value: Any) -> Any:
        return dict(value)

    def schema(self) -> dict[str, Any]:
        entry = self.kind.schema() if self.kind else {"type": "object"}
        if not self.names:
            return {"type": "object", "additionalProperties": entry}
        shown = {
            "type": "object",
            "additionalProperties": False,
            "properties": dict.fromkeys(self.names, entry),
        }
        return shown | ({"required": list(self.names)} if self.is_whole else {})


@dataclass(frozen=True)
class Fields:
    """A table. `by`: (field, its value -> further fields), for tables that hold more where a field says so."""

    fields: Mapping[str, Kind | Named]
    by: tuple[str, Mapping[str, Mapping[str, Kind]]] | None = None
    is_optional: bool = False

    def read(self, found: Any, place: str, problems: list[str]) -> Any:
        """The values of a table, with defaults and stand-ins; None for an optional one that is not there."""
        if found is None and self.is_optional:
            return None
        table = Table(found, place, problems)
        values = {name: _read(table, name, kind) for name, kind in self.fields.items()}
        if self.by is not None:
            name, variants = self.by
            known = variants.get(table.get(name)) if isinstance(table.get(name), str) else None
            for key, kind in known.items() if known is not None else ():
                values[key] = take(table, key, kind)
            if known is None:  # the field was said to be wrong; what depends on it cannot be judged
                for key, kind in (pair for kinds in variants.values() for pair in kinds.items()):
                    table.get(key)
                    values[key] = kind.made(kind.blank)
        table.close()
        return values

    def schema(self) -> dict[str, Any]:
        """The table as JSON Schema."""
        if self.by is None:
            return _object(self.fields)
        name, more = self.by
        variants = [
            _object({**self.fields, name: Choice((value,)), **fields}) for value, fields in more.items()
        ]
        return {"type": "object", "oneOf": variants}


@dataclass(frozen=True)
class Named:
    """A table of tables, one for each of a few names; may be left out."""

    table: Fields
    names: tuple[str, ...]
    is_optional: bool = True

    def read(self, found: Any, place: str, problems: list[str]) -> dict[str, dict[str, Any]]:
        """The values of each table by name."""
        if found is None:
            return {}
        if not isinstance(found, dict) or not set(found) <= set(self.names):
            problems.append(f"[{place}] may name {', '.join(self.names)}")
            return {}
        return {name: self.table.read(entry, f"{place}.{name}", problems) for name, entry in found.items()}

    def schema(self) -> dict[str, Any]:
        """The table as JSON Schema."""
        properties = dict.fromkeys(self.names, self.table.schema())
        return {"type": "object", "additionalProperties": False, "properties": properties}


@dataclass(frozen=True)
class Entries:
    """An array of `least` to `most` tables. `may_be_one`: a single table stands for an array of one."""

    table: Fields
    least: int
    most: int
    is_optional: bool = False
    may_be_one: bool = False

    def read(self, found: Any, place: str, problems: list[str]) -> list[dict[str, Any]]:
        """The values of each table; none where the array itself is wrong."""
        if found is None and self.is_optional:
            return []
        if self.may_be_one and not isinstance(found, list):
            return [self.table.read(found, place, problems)]
        if not isinstance(found, list) or not self.least <= len(found) <= self.most:
            problems.append(f"[[{place}]] must appear {self.least} to {self.most} times")
            return []
        return [
            self.table.read(entry, f"{place} no. {number}", problems) for number, entry in enumerate(found, 1)
        ]

    def schema(self) -> dict[str, Any]:
        """The array as JSON Schema."""
        one = self.table.schema()
        array = {"type": "array", "minItems": self.least, "maxItems": self.most, "items": one}
        return {"oneOf": [one, array]} if self.may_be_one else array


Section = Fields | Entries


def _read(table: Table, name: str, kind: Kind | Named) -> Any:
    if isinstance(kind, Named):
        return kind.read(table.get(name), f"{table.place}.{name}", table.problems)
    return take(table, name, kind)


def take(table: Table, name: str, kind: Kind) -> Any:
    """The value of one field, its default, or a stand-in and a problem."""
    value = table.get(name)
    if value is None and kind.default is not _REQUIRED:
        return kind.default
    if not kind.accepts(value):
        table.problem(name, _reason(kind, value))
        return kind.made(kind.blank)
    return kind.made(value)


def _reason(kind: Kind, value: Any) -> str:
    if isinstance(kind, Text):
        return kind.reason(value)
    if isinstance(kind, ListOf) and isinstance(kind.kind, Text) and isinstance(value, list):
        refused = next((entry for entry in value if not kind.kind.accepts(entry)), None)
        if isinstance(refused, str) and kind.kind.reason(refused) != kind.kind.hint:
            return kind.kind.reason(refused)
    return kind.hint


def read_document(
    sections: Mapping[str, Section], document: Mapping[str, Any], problems: list[str]
) -> dict[str, Any]:
    """What a file holds, section by section; a section that nobody asked for is a problem."""
    problems += [f"[{name}] is not known" for name in sorted(set(document) - set(sections))]
    return {name: section.read(document.get(name), name, problems) for name, section in sections.items()}


def document_schema(sections: Mapping[str, Section], title: str) -> dict[str, Any]:
    """The file as JSON Schema 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "additionalProperties": False,
        "properties": {name: section.schema() for name, section in sections.items()},
        "required": _needed({name: not section.is_optional for name, section in sections.items()}),
    }


def _object(fields: Mapping[str, Kind | Named]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _with_default(kind) for name, kind in fields.items()},
        "required": _needed({name: _is_needed(kind) for name, kind in fields.items()}),
    }


def _is_needed(kind: Kind | Named) -> bool:
    return not kind.is_optional if isinstance(kind, Named) else kind.default is _REQUIRED


def _with_default(kind: Kind | Named) -> dict[str, Any]:
    default = None if isinstance(kind, Named) or kind.default is _REQUIRED else kind.default
    return kind.schema() | ({} if default is None else {"default": default})


def _needed(wanted: Mapping[str, bool]) -> Sequence[str]:
    return [name for name, is_needed in wanted.items() if is_needed]

"""Tables of a TOML definition, made of the kinds in `fields.py`: read from a document, written as JSON Schema.

A wrong value is a problem in the list; `blank` of its kind takes its place, so that the rest is checked too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provisioning.product.fields import REQUIRED, Choice, Kind, ListOf, Text
from provisioning.product.tables import Table


@dataclass(frozen=True)
class Fields:
    """A table. `by`: (field, its value -> further fields), for tables whose fields depend on the value of one field."""

    fields: Mapping[str, Kind | Named]
    by: tuple[str, Mapping[str, Mapping[str, Kind]]] | None = None
    is_optional: bool = False

    def read(self, found: Any, place: str, problems: list[str]) -> Any:
        """Return the values of a table: the default for a key that is missing, a blank for one that is wrong.

        None for an optional table that is missing.
        """
        if found is None and self.is_optional:
            return None
        table = Table(found, place, problems)
        values = {name: _read(table, name, kind) for name, kind in self.fields.items()}
        if self.by is not None:
            name, variants = self.by
            known = variants.get(table.get(name)) if isinstance(table.get(name), str) else None
            for key, kind in known.items() if known is not None else ():
                values[key] = take(table, key, kind)
            # the field was reported as wrong; the fields that depend on it cannot be judged
            if known is None:
                for key, kind in (pair for kinds in variants.values() for pair in kinds.items()):
                    table.get(key)
                    values[key] = kind.made(kind.blank)
        table.close()
        return values

    def schema(self) -> dict[str, Any]:
        """Return the table as JSON Schema."""
        if self.by is None:
            return _object(self.fields)
        name, more = self.by
        variants = [
            _object({**self.fields, name: Choice((value,)), **fields}) for value, fields in more.items()
        ]
        return {"type": "object", "oneOf": variants}


@dataclass(frozen=True)
class Named:
    """A table of optional tables with fixed names. It may be left out."""

    table: Fields
    names: tuple[str, ...]
    is_optional: bool = True

    def read(self, found: Any, place: str, problems: list[str]) -> dict[str, dict[str, Any]]:
        """Return the values of each table by name."""
        if found is None:
            return {}
        if not isinstance(found, dict) or not set(found) <= set(self.names):
            problems.append(f"[{place}] may name {', '.join(self.names)}")
            return {}
        return {name: self.table.read(entry, f"{place}.{name}", problems) for name, entry in found.items()}

    def schema(self) -> dict[str, Any]:
        """Return the table as JSON Schema."""
        properties = dict.fromkeys(self.names, self.table.schema())
        return {"type": "object", "additionalProperties": False, "properties": properties}


@dataclass(frozen=True)
class Entries:
    """An array of `least` to `most` tables. `may_be_one`: a single table is accepted as an array of one.

    `distinct`: the fields that together name an entry. Two entries with one name are a problem: a reader takes them for
    one. Capitals, spaces and punctuation make no other name.
    """

    table: Fields
    least: int
    most: int
    is_optional: bool = False
    may_be_one: bool = False
    distinct: tuple[str, ...] = ()

    def read(self, found: Any, place: str, problems: list[str]) -> list[dict[str, Any]]:
        """Return the values of each table; an empty list if the array itself is wrong."""
        if found is None and self.is_optional:
            return []
        if self.may_be_one and not isinstance(found, list):
            return [self.table.read(found, place, problems)]
        if not isinstance(found, list) or not self.least <= len(found) <= self.most:
            problems.append(f"[[{place}]] must appear {self.least} to {self.most} times")
            return []
        read = [
            self.table.read(entry, f"{place} no. {number}", problems) for number, entry in enumerate(found, 1)
        ]
        self._require_distinct(read, place, problems)
        return read

    def _require_distinct(self, read: list[dict[str, Any]], place: str, problems: list[str]) -> None:
        numbers: dict[tuple[Any, ...], int] = {}
        for number, entry in enumerate(read, 1) if self.distinct else ():
            name = tuple(plain_name(entry[field]) for field in self.distinct)
            if name in numbers and "" not in name:  # a wrong text is blank, and was reported
                fields, first = " and ".join(self.distinct), numbers[name]
                problems.append(f"[{place} no. {number}] {fields} must differ from those of no. {first}")
            numbers.setdefault(name, number)

    def schema(self) -> dict[str, Any]:
        """Return the array as JSON Schema."""
        one = self.table.schema()
        array = {"type": "array", "minItems": self.least, "maxItems": self.most, "items": one}
        return {"oneOf": [one, array]} if self.may_be_one else array


Section = Fields | Entries


def plain_name(value: Any) -> Any:
    """Return a text without what does not change a name: form, capitals, spaces, punctuation. Others as they are."""
    if not isinstance(value, str):
        return value
    plain = unicodedata.normalize("NFKC", value).casefold()
    return "".join(character for character in plain if character.isalnum()) or value


def _read(table: Table, name: str, kind: Kind | Named) -> Any:
    if isinstance(kind, Named):
        return kind.read(table.get(name), f"{table.place}.{name}", table.problems)
    return take(table, name, kind)


def take(table: Table, name: str, kind: Kind) -> Any:
    """Return the value of one field, its default, or a blank and a problem."""
    value = table.get(name)
    if value is None and kind.default is not REQUIRED:
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
    """Return the values of a file, section by section. An unknown section is a problem."""
    problems += [f"[{name}] is not known" for name in sorted(set(document) - set(sections))]
    return {name: section.read(document.get(name), name, problems) for name, section in sections.items()}


def document_schema(sections: Mapping[str, Section], title: str) -> dict[str, Any]:
    """Return the file as JSON Schema 2020-12."""
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
    return not kind.is_optional if isinstance(kind, Named) else kind.default is REQUIRED


def _with_default(kind: Kind | Named) -> dict[str, Any]:
    default = None if isinstance(kind, Named) or kind.default is REQUIRED else kind.default
    return kind.schema() | ({} if default is None else {"default": default})


def _needed(wanted: Mapping[str, bool]) -> Sequence[str]:
    return [name for name, is_needed in wanted.items() if is_needed]

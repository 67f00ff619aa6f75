"""The kinds of values in a TOML definition, as data: the parser and the JSON schema both use them.

Rules:
1. Each kind of value is one class: what it accepts, in words for a person, and as JSON Schema 2020-12. A test
   compares parser and schema. Nothing about a field is defined in a second place.
2. A wrong value becomes a problem in the list, and `blank` replaces it, so that the rest is checked too.
3. JSON has no dates: in the schema a date is a text of format "date", as TOML editors read it.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from provisioning.product.lettering import unprintable
from provisioning.product.public_texts import LINE, LINE_HINT

LINE_CHARS: Final = 200
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
REQUIRED: Final = object()


class Kind(Protocol):
    """A kind of value. `default`: the value of a field that was left out; without it the field is required."""

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
    """One line of at most 200 characters that matches `pattern` completely and `found` somewhere."""

    pattern: re.Pattern[str] = LINE
    hint: str = LINE_HINT
    found: re.Pattern[str] | None = None
    most: int = LINE_CHARS
    default: Any = REQUIRED
    blank: str = ""

    def accepts(self, value: Any) -> bool:
        return (
            isinstance(value, str)
            and 0 < len(value) <= self.most
            and self.pattern.fullmatch(value) is not None
            and (self.found is None or self.found.search(value) is not None)
        )

    def reason(self, value: Any) -> str:
        """Return why a value is refused, as precisely as possible."""
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
    """Return a Python pattern in the syntax of JSON Schema (ECMA 262 with Unicode)."""
    return pattern.replace(r"\w", r"\p{L}\p{N}_").replace(r"\d", "[0-9]")


@dataclass(frozen=True)
class Hex(Text):
    """Bytes in hexadecimal digits."""

    def made(self, value: Any) -> Any:
        return bytes.fromhex(value)


@dataclass(frozen=True)
class Identifier(Text):
    """A UUID, read as its 16 bytes."""

    pattern: re.Pattern[str] = _UUID
    hint: str = "must be a UUID like 7c9e6679-7425-40de-944b-e07fc1f90ae7"

    def made(self, value: Any) -> Any:
        return uuid.UUID(value).bytes if value else b""


@dataclass(frozen=True)
class Number:
    """A whole number within limits, both included."""

    low: int
    high: int
    default: Any = REQUIRED

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

    default: Any = REQUIRED
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

    default: Any = REQUIRED
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
    """One of several words."""

    allowed: tuple[str, ...]
    default: Any = REQUIRED

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
    """One to `most` different values of one kind."""

    kind: Kind
    most: int
    hint: str
    default: Any = REQUIRED
    blank: tuple[str, ...] = ()

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, list) or not 0 < len(value) <= self.most:
            return False
        return all(map(self.kind.accepts, value)) and all(
            one not in value[:at] for at, one in enumerate(value)
        )

    def made(self, value: Any) -> Any:
        return tuple(value)

    def schema(self) -> dict[str, Any]:
        return {
            "type": "array",
            "minItems": 1,
            "maxItems": self.most,
            "uniqueItems": True,
            "items": self.kind.schema(),
        }


@dataclass(frozen=True)
class MapOf:
    """A table with one value for each name: all of `names` if `is_whole`; any name if `names` is empty."""

    kind: Kind | None  # None: tables that are read elsewhere
    hint: str
    names: tuple[str, ...] = ()
    is_whole: bool = False
    default: Any = REQUIRED
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

"""One table of a definition in TOML, read field by field; what is wrong is collected, not raised.

Rules:
1. Every problem names its table and field and what would be accepted.
2. A field that nobody asked for is a problem too: a misspelt name is not silently a default.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any, Final

PRINTED: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
NUMBER_AND_UNIT: Final = re.compile(r"\b\d+ (working |business |calendar )?(hours?|days?|weeks?|months?)\b")


class Table:
    """One table of the file, read field by field; problems go to a common list, fields asked for are ticked."""

    def __init__(self, fields: Any, place: str, problems: list[str]) -> None:
        self.place = place
        self.problems = problems
        self._fields: dict[str, Any] = fields if isinstance(fields, dict) else {}
        self._known: set[str] = set()
        self._is_missing = not isinstance(fields, dict)
        if self._is_missing:
            problems.append(f"[{place}] is missing")

    def problem(self, name: str, text: str) -> None:
        if self._is_missing:  # said once; its fields would only repeat it
            return
        self.problems.append(f"[{self.place}] {name} {text}")

    def get(self, name: str, default: Any = None) -> Any:
        self._known.add(name)
        return self._fields.get(name, default)

    def text(self, name: str, pattern: re.Pattern[str] = PRINTED, hint: str = "a text of one line") -> str:
        value = self.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 200 or not pattern.fullmatch(value):
            self.problem(name, f"must be {hint}")
            return ""
        return value

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self.get(name, default)
        if type(value) is not int or not low <= value <= high:
            self.problem(name, f"must be a whole number from {low} to {high}")
            return low
        return value

    def date(self, name: str, default: dt.date | None = None) -> dt.date:
        value = self.get(name, default)
        if type(value) is not dt.date:
            self.problem(name, "must be a date like 2031-12-31, without quotes")
            return dt.date(1970, 1, 1)
        return value

    def identifier(self, name: str) -> bytes:
        try:
            return uuid.UUID(self.get(name)).bytes
        except (ValueError, TypeError, AttributeError):
            self.problem(name, "must be a UUID like 7c9e6679-7425-40de-944b-e07fc1f90ae7")
            return b""

    def url(self, name: str, schemes: tuple[str, ...]) -> str:
        value = self.text(name)
        if value and not value.startswith(schemes):
            self.problem(name, f"must begin with {' or '.join(schemes)}")
        return value

    def timed(self, name: str) -> str:
        value = self.text(name)
        if value and not NUMBER_AND_UNIT.search(value):
            self.problem(name, 'must say a number and a unit, like "within 3 working days" (RP-02)')
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.get(name, default)
        if value not in allowed:
            self.problem(name, f"must be one of {', '.join(allowed)}")
            return allowed[0]
        return str(value)

    def truth(self, name: str) -> bool:
        value = self.get(name)
        if not isinstance(value, bool):
            self.problem(name, "must be true or false")
        return value is True

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        value = self.get(name)
        if not isinstance(value, list) or not 0 < len(value) <= most or not all(map(_is_line, value)):
            self.problem(name, f"must be a list of 1 to {most} texts of one line")
            return ()
        return tuple(value)

    def close(self) -> None:
        for name in sorted(set(self._fields) - self._known):
            self.problem(name, "is not known here")


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and PRINTED.fullmatch(value) is not None

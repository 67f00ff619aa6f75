"""One table of a definition in TOML, read field by field. Problems are collected, not raised.

Rules:
1. Every problem names its table and field and the accepted values.
2. An unknown field is a problem too, so that a misspelt name does not silently become a default.
"""

from __future__ import annotations

import re
from typing import Any

from provisioning.product.public_texts import LINE


class Table:
    """A table of the file, read field by field.

    Problems go to a common list; the fields that were asked for are noted.
    """

    def __init__(self, fields: Any, place: str, problems: list[str]) -> None:
        self.place = place
        self.problems = problems
        self._fields: dict[str, Any] = fields if isinstance(fields, dict) else {}
        self._known: set[str] = set()
        self._is_missing = not isinstance(fields, dict)
        if self._is_missing:
            problems.append(f"[{place}] is missing")

    def problem(self, name: str, text: str) -> None:
        if self._is_missing:  # reported once; reports about its fields would only repeat it
            return
        self.problems.append(f"[{self.place}] {name} {text}")

    def get(self, name: str, default: Any = None) -> Any:
        self._known.add(name)
        return self._fields.get(name, default)

    def text(self, name: str, pattern: re.Pattern[str] = LINE, hint: str = "a text of one line") -> str:
        value = self.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 200 or not pattern.fullmatch(value):
            self.problem(name, f"must be {hint}")
            return ""
        return value

    def close(self) -> None:
        for name in sorted(set(self._fields) - self._known):
            self.problem(name, "is not known here")

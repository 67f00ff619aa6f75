"""Typed access to the fields of a JSON object from outside: each field is there once, has its type and its bounds."""

from __future__ import annotations

import re
from typing import Any, Final

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")


class Fields:
    """One JSON object. Each method takes a field and raises `error` if it is missing or wrong; `end` refuses others."""

    def __init__(self, found: object, name: str, error: type[Exception]) -> None:
        self._name = name
        self._error = error
        if not isinstance(found, dict):
            raise error(f"{name} is not an object")
        self._found: dict[str, Any] = dict(found)

    def has(self, key: str) -> bool:
        """Return whether the field is not null; a null is taken."""
        if key in self._found and self._found[key] is None:
            del self._found[key]
            return False
        return True

    def text(self, key: str, most: int) -> str:
        """Return a text of at most `most` characters without control characters."""
        found = self._take(key)
        if not isinstance(found, str) or len(found) > most or not (found.isprintable() or not found):
            raise self._wrong(key, f"a text of at most {most} printable characters")
        return found

    def number(self, key: str, least: int, most: int) -> int:
        """Return an integer in the range `least` to `most`."""
        found = self._take(key)
        if type(found) is not int or not least <= found <= most:
            raise self._wrong(key, f"an integer from {least} to {most}")
        return found

    def flag(self, key: str) -> bool:
        """Return true or false."""
        found = self._take(key)
        if not isinstance(found, bool):
            raise self._wrong(key, "true or false")
        return found

    def digest(self, key: str) -> str:
        """Return a SHA-256 in lower-case hexadecimal."""
        found = self._take(key)
        if not isinstance(found, str) or _DIGEST.fullmatch(found) is None:
            raise self._wrong(key, "a SHA-256 of 64 hexadecimal digits")
        return found

    def data(self, key: str, most: int) -> bytes:
        """Return the bytes of a hexadecimal text, at most `most`."""
        found = self._take(key)
        if not isinstance(found, str) or len(found) > 2 * most or _HEX.fullmatch(found) is None:
            raise self._wrong(key, f"at most {most} bytes in hexadecimal")
        return bytes.fromhex(found)

    def object(self, key: str) -> Fields:
        """Return a nested object."""
        return Fields(self._take(key), key, self._error)

    def objects(self, key: str, most: int) -> list[Fields]:
        """Return a list of at most `most` objects."""
        found = self._take(key)
        if not isinstance(found, list) or len(found) > most:
            raise self._wrong(key, f"a list of at most {most} entries")
        return [Fields(one, f"an entry of {key}", self._error) for one in found]

    def end(self) -> None:
        """Refuse fields that nothing took."""
        if self._found:
            raise self._error(f"{self._name} has an unknown field {sorted(self._found)[0][:40]!r}")

    def _take(self, key: str) -> Any:
        if key not in self._found:
            raise self._error(f"{self._name} has no field {key!r}")
        return self._found.pop(key)

    def _wrong(self, key: str, expected: str) -> Exception:
        return self._error(f"{self._name}: {key} must be {expected}")

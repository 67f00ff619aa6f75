"""The names of the errors that units report by number."""

from __future__ import annotations

from functools import cache

from device.errors import FirstbootError


def error_name(code: int) -> str:
    """Return the class name of an error number, "unknown" if this version has none."""
    return _names().get(code, "unknown")


@cache
def _names() -> dict[int, str]:
    found: dict[int, str] = {}
    todo: list[type[FirstbootError]] = [FirstbootError]
    while todo:
        one = todo.pop()
        found[one.code] = one.__name__
        todo += one.__subclasses__()
    return found

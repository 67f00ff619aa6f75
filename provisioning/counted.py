"""A number with its noun, as people write it: "1 unit", "3 units"."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """`count` and the noun that fits it; `plural` where an "s" at the end is not the plural."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"

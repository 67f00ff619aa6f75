"""The error that ends a story before its first claim."""

from __future__ import annotations


class WorldError(RuntimeError):
    """The story cannot start on this machine. The text names what is missing."""

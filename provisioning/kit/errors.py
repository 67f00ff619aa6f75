"""Errors of kits and of lists of delivered units."""

from __future__ import annotations


class KitError(Exception):
    """A kit cannot be built, or a folder is not a kit that a trusted station signed, or it was changed since."""


class DeliveryError(ValueError):
    """The list of delivered units cannot be read. The text names the line."""

"""Errors that a flow raises if a unit does something that no power cut may lead to."""

from __future__ import annotations


class BrickedError(AssertionError):
    """Nothing boots, the unit restarts without end, or the flow does not finish."""


class OpenedError(AssertionError):
    """The unit gave access to someone without the right to it."""


class LostError(AssertionError):
    """Something that the unit had reported to the outside is no longer true."""

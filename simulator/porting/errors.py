"""The errors of porting a board."""

from __future__ import annotations


class PortingError(Exception):
    """The base of the errors that `firstboot board` reports."""


class FolderError(PortingError):
    """A board's folder cannot be made or used."""


class BoardError(PortingError):
    """The board gives no prompt, or its line is gone."""


class LineAddressError(BoardError):
    """The serial line that the command names cannot be opened."""


class RestartedError(BoardError):
    """The board restarted while it ran a check."""


class NoAnswerError(BoardError):
    """The board did not answer in time."""

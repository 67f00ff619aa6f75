"""Errors of the case store and its mail. No text holds a secret, a reporter's address or a reporter's words."""

from __future__ import annotations


class CaseError(Exception):
    """The case store refuses; nothing was changed."""


class CaseInputError(CaseError):
    """A value that a person or a file gave cannot be used: a calendar, a promise, a score, a time."""


class UnknownCaseError(CaseError):
    """The store has no case of this number."""


class StateError(CaseError):
    """The table of states has no such step from the state that the case is in."""


class CaseConflictError(CaseError):
    """Another person changed the case after it was read. `have`: its version now; `expected`: the one that was read."""

    def __init__(self, code: str, have: int, expected: int) -> None:
        self.code, self.have, self.expected = code, have, expected
        super().__init__(
            f"{code} was changed by another person: it has version {have}, and you decided on version {expected}."
            " Read it again with `show`, then decide"
        )


class CaseClockError(CaseError):
    """The clock of this machine contradicts the log: deadlines would be wrong."""


class MailError(CaseError):
    """A mail server refuses: the mailbox, the password, a message."""


class MailUnreachableError(MailError):
    """A mail server cannot be reached now. Everything stays queued; the next run tries again."""


class MailRefusedError(MailError):
    """The mail server refused a message. `is_permanent`: a later try would be refused too (RFC 5321 4.2.1)."""

    def __init__(self, code: int, *, is_permanent: bool) -> None:
        self.code, self.is_permanent = code, is_permanent
        super().__init__(f"the mail server refused the message with code {code}")


class MailUnclearError(MailError):
    """The connection ended after a message was handed over and before the server answered."""


class OutboxBusyError(MailError):
    """Another process of this machine is sending from the same store."""


class SpoolFullError(CaseError):
    """The spool of received mail is full; mail stays on its server or in its folder."""

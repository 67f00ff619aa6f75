"""The words of every notice to a reporter: plain English, without the reporter's own words in it.

Rules:
1. A notice says what happened, what happens next, and until when. Dates are those of the promise.
2. Nothing of a reporter's mail goes into a header or into the text: no subject, no name, no quotation.
3. A maker's own words come between the fixed sentences, as plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provisioning.disclosure.case import Case
from provisioning.disclosure.states import Step

UPDATE: Final = "update"
JOINED: Final = "joined"
PURPOSES: Final = (
    Step.ACKNOWLEDGE, UPDATE, Step.CONFIRM, Step.REJECT, Step.RESOLVE, Step.PUBLISH, Step.CLOSE, Step.MERGE, JOINED,
)  # fmt: skip
LONGEST_TEXT: Final = 20_000


@dataclass(frozen=True)
class Words:
    """The parts of a notice. `next_s`: until when the next news comes; `extra`: the maker's own words."""

    case: Case
    next_s: int
    extra: str = ""
    link: str = ""
    other: str = ""  # the number of the other case of a merge


def subject(case: Case, purpose: str) -> str:
    """Return the subject: the number of the case and a fixed phrase."""
    return f"[{case.code}] {_SUBJECTS[purpose]}"


def text(purpose: str, words: Words) -> str:
    """Return the text of a notice for one purpose of PURPOSES."""
    parts = ["Hello,", *_BODIES[purpose](words)]
    parts += [f"Your reference: {words.case.code}", words.case.promise.maker]
    return "\n\n".join(part for part in parts if part) + "\n"


def _next(words: Words) -> str:
    when = words.case.promise.text_of(words.next_s)
    return f"You will hear from us again by {when} at the latest. You get news until the problem is resolved."


def _acknowledged(words: Words) -> list[str]:
    received = words.case.promise.text_of(min(words.case.reporters.values(), default=words.case.received_s))
    return [
        f"Thank you for your report. We received it on {received}. A person will read it and examine the problem.",
        words.extra,
        _next(words),
        "To add something, answer this message, or use the page on which you read it. Please do not send passwords or"
        " other people's data.",
    ]


def _updated(words: Words) -> list[str]:
    return ["Here is news about the problem that you reported.", words.extra, _next(words)]


def _confirmed(words: Words) -> list[str]:
    return [
        "We examined the problem that you reported, and confirm it. We are working on a correction.",
        words.extra,
        _next(words),
    ]


def _rejected(words: Words) -> list[str]:
    return [
        "We examined the problem that you reported. We do not see a security issue of our product in it.",
        words.extra,
        "If you see it differently, answer this message.",
        _next(words),
    ]


def _fixed(words: Words) -> list[str]:
    return ["The problem that you reported is fixed in a security update.", words.extra, _next(words)]


def _published(words: Words) -> list[str]:
    where = f"You can read it at {words.link}" if words.link else ""
    return [
        "We published an advisory about the problem that you reported. Thank you for your help.",
        where,
        words.extra,
        _next(words),
    ]


def _closed(words: Words) -> list[str]:
    return [
        "The case of your report is closed. This is our last message about it.",
        words.extra,
        "If you think that the problem still exists, answer this message.",
    ]


def _merged(words: Words) -> list[str]:
    return [
        f"We already examine the problem that you reported. We continue it under the number {words.other}. You receive"
        " all further news under that number.",
        words.extra,
        _next(words),
    ]


def _joined(words: Words) -> list[str]:
    return [
        "Another person reported the same problem as you. We continue with both reports as one case.",
        words.extra,
        _next(words),
    ]


_SUBJECTS: Final[dict[str, str]] = {
    Step.ACKNOWLEDGE: "We received your security report",
    UPDATE: "Status of your security report",
    Step.CONFIRM: "We confirm the problem that you reported",
    Step.REJECT: "Result of our examination",
    Step.RESOLVE: "The problem that you reported is fixed",
    Step.PUBLISH: "Advisory about the problem that you reported",
    Step.CLOSE: "Your security report is closed",
    Step.MERGE: "Your security report continues in another case",
    JOINED: "Another report about the same problem",
}
_BODIES: Final[dict[str, Callable[[Words], list[str]]]] = {
    Step.ACKNOWLEDGE: _acknowledged,
    UPDATE: _updated,
    Step.CONFIRM: _confirmed,
    Step.REJECT: _rejected,
    Step.RESOLVE: _fixed,
    Step.PUBLISH: _published,
    Step.CLOSE: _closed,
    Step.MERGE: _merged,
    JOINED: _joined,
}

"""Texts that a maker publishes, read as values: times of answers, addresses, and lines that print as they are stored.

Rules:
1. A time is a whole number of at least 1 and a unit, and nothing else: "within 3 working days", "every 14 days until
   resolved" (RP-02, RP-03). A sentence that merely mentions a number is refused.
2. A contact is one address that a report can be sent to: mailto: with one mailbox, tel: with an international number,
   or an https page (RP-01).
3. The policy is an https address whose path has plain names only: no "..", no query, no escapes.
4. A server's name and the address of the set-up page have the characters of hosts and paths, and no others: they go
   into configurations, links and QR codes.
5. A line has the characters that can be printed (`lettering.py`), so no control, format or bidirectional ones: what is
   printed is what is stored. It does not begin or end with a space.

The patterns are also valid in JSON Schema (ECMA 262).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from provisioning.product.lettering import CHARACTERS, INK

_TIME: Final = r"([1-9][0-9]{0,2}) ((?:working |business |calendar )?(?:hour|day|week|month))s?"
ACKNOWLEDGEMENT: Final = re.compile(rf"(?:[Ww]ithin )?{_TIME}")
ACKNOWLEDGEMENT_HINT: Final = (
    'must be a time and nothing else, a whole number and a unit, like "within 3 working days" (RP-02)'
)
STATUS_UPDATES: Final = re.compile(
    rf"(?:[Aa]t least )?[Ee]very {_TIME} until (?:the (?:issue|problem) is |it is )?resolved"
)
STATUS_UPDATES_HINT: Final = (
    'must be a time and nothing else, a whole number and a unit, like "every 14 days until resolved" (RP-03)'
)

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = rf"(?:{_NAME}\.)+[A-Za-z][A-Za-z0-9-]{{0,61}}[A-Za-z0-9]"
_SEGMENT: Final = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+"
_PAGE: Final = rf"https://{_HOST}(?::[1-9][0-9]{{0,4}})?(?:/{_SEGMENT})*/?"
_ATOM: Final = r"[A-Za-z0-9_+-]+"
REPORT: Final = re.compile(rf"mailto:{_ATOM}(?:\.{_ATOM})*@{_HOST}|tel:\+[1-9](?:-?[0-9]){{6,14}}|{_PAGE}")
REPORT_HINT: Final = (
    "must be an address that a report can be sent to, like mailto:security@maker.co.uk, tel:+442079460000 or"
    " https://maker.co.uk/report (RP-01)"
)
POLICY: Final = re.compile(_PAGE)
POLICY_HINT: Final = (
    "must be an https address of plain names, like https://maker.co.uk/security,"
    ' without "..", query or escapes'
)

_SERVER_NAME: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
SERVER: Final = re.compile(rf"{_SERVER_NAME}(?:\.{_SERVER_NAME})*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+")
SERVER_HINT: Final = "must be a host name or an address, like updates.maker.co.uk or 192.0.2.7"
SETUP_ADDRESS: Final = re.compile(
    r"https://[A-Za-z0-9{}][A-Za-z0-9.{}-]*(?::[1-9][0-9]{0,4})?(?:/[A-Za-z0-9._~{}/-]*)?"
)

LINE: Final = re.compile(f"[{INK}](?:[{CHARACTERS}]*[{INK}])?")
LINE_HINT: Final = "must be a text of one line, without a space before or after it"


@dataclass(frozen=True)
class AnswerTime:
    """A whole number of units, as the maker publishes it."""

    count: int
    unit: str  # "working day", "hour", ...

    def in_words(self) -> str:
        """Return "3 working days"."""
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"


def acknowledgement_time(text: str) -> AnswerTime:
    """Return when a report is acknowledged. Raises ValueError for a text that is anything but a time (rule 1)."""
    return _time(ACKNOWLEDGEMENT, text, ACKNOWLEDGEMENT_HINT)


def status_update_time(text: str) -> AnswerTime:
    """Return how often a reporter gets an update. Raises ValueError for a text that is anything but a time (rule 1)."""
    return _time(STATUS_UPDATES, text, STATUS_UPDATES_HINT)


def is_site_address(text: str) -> bool:
    """Return whether a text is the address of a maker's site: a plain https address that ends with /."""
    return POLICY.fullmatch(text) is not None and text.endswith("/")


def _time(pattern: re.Pattern[str], text: str, hint: str) -> AnswerTime:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} {hint}")
    return AnswerTime(int(found[1]), found[2])


def acknowledgement_words(text: str) -> str:
    """Return the words for the maker's pages: the parsed time, never the text. Raises ValueError."""
    return f"within {acknowledgement_time(text).in_words()}"


def status_update_words(text: str) -> str:
    """Return the words for the maker's pages: the parsed time, never the text. Raises ValueError."""
    return f"every {status_update_time(text).in_words()} until resolved"

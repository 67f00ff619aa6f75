"""A notice as a mail (RFC 5322), and the protocol of what sends it."""

from __future__ import annotations

import datetime as dt
import re
import textwrap
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, Protocol

from provisioning.disclosure.models import Outgoing

NO_DOMAIN: Final = "firstboot.invalid"  # RFC 2606; for a maker whose contact is a telephone number
WIDTH: Final = 72
MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,250}>")


class Transport(Protocol):
    """Hands a message to a mail server."""

    def send(self, data: bytes, sender: str, recipient: str, before: Callable[[], None]) -> None:
        """Send one message. Call `before` when the server is ready to take it, immediately before its first byte.

        Returns when the server accepted it. Raises MailUnreachableError, MailRefusedError (the server does not have
        the message), MailUnclearError (nobody knows).
        """


def domain_of(contact: str) -> str:
    """Return the maker's domain, from the published contact: an address or a page."""
    found = re.search(r"(?:@|://)([A-Za-z0-9.-]+)", contact)
    return found[1].lower() if found is not None else NO_DOMAIN


def folded(text: str) -> str:
    """Return `text` with lines of at most WIDTH characters, as mails are read. A longer word stays whole."""
    lines = [
        textwrap.fill(one, WIDTH, break_long_words=False, break_on_hyphens=False) for one in text.split("\n")
    ]
    return "\n".join(lines)


def build(row: Outgoing, sender: str, recipient: str, now_s: int) -> bytes:
    """Return the bytes of a notice. RFC 3834: marked as automatic, so that no other program answers it."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = row.subject
    message["Date"] = format_datetime(dt.datetime.fromtimestamp(now_s, dt.UTC))
    message["Message-ID"] = row.message_id
    message["Auto-Submitted"] = "auto-generated"
    if row.in_reply_to is not None and MESSAGE_ID.fullmatch(row.in_reply_to):
        message["In-Reply-To"] = row.in_reply_to
        message["References"] = row.in_reply_to
    message.set_content(folded(row.text or ""), cte="quoted-printable")
    return message.as_bytes()

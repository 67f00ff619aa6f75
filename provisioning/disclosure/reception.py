"""Takes a report in: by mail, by the web form, or by hand. One transaction, and the same message only once.

Rules:
1. A mail that came already (same bytes, or same Message-ID, sender and text) changes nothing.
2. An answer to a notice of ours belongs to the notice's case: only a person who has the notice knows its Message-ID. A
   case number in a subject is not enough: anyone can guess it.
3. An anonymous reporter gets a token of 130 random bits, once. The store keeps its hash.
4. A message that comes after a merge belongs to the case that continues.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.disclosure.case import MESSAGE, OPENED
from provisioning.disclosure.desk import case_of, promise_in_force
from provisioning.disclosure.errors import CaseInputError
from provisioning.disclosure.models import Message, Outgoing, Reporter
from provisioning.disclosure.store import CaseStore, is_case
from provisioning.mail_address import is_address

MAIL, FORM, HAND = "mail", "form", "hand"
LONGEST_TEXT: Final = 100_000  # characters; the whole message is kept as it came
LONGEST_NAME: Final = 200
OLDEST_S: Final = 366 * 86400
# without i, l, o, 0 and 1, which look alike
_TOKEN_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # noqa: S105 - characters, not a password
_TOKEN_CHARS: Final = 27  # of 31: 133 bits
_GROUP: Final = 5


@dataclass(frozen=True)
class Incoming:
    """A message from a reporter. `address`: None for an anonymous one. `received_s`: if it was not now.

    `answers`: Message-IDs that it refers to. `case`: the case that a token or a person names.
    """

    channel: str
    text: str
    address: str | None = None
    name: str | None = None
    received_s: int | None = None
    raw_digest: bytes | None = None
    message_id: str | None = None
    answers: Sequence[str] = ()
    attachments: Sequence[dict[str, Any]] = field(default=())
    reporter: str | None = None


@dataclass(frozen=True)
class Receipt:
    """The result for a message. `token`: for a new anonymous reporter, and never again."""

    case: str
    reporter: str
    is_new_case: bool
    is_known: bool = False
    token: str | None = field(default=None, repr=False)


def receive(store: CaseStore, incoming: Incoming) -> Receipt:
    """Record a message, in a new case or in the one that it belongs to. Raises CaseInputError, CaseClockError."""
    _check(store, incoming)
    with store.writing() as session:
        known = _known(session, incoming)
        if known is not None:
            return Receipt(known.case_code, known.reporter, is_new_case=False, is_known=True)
        found = _place(session, incoming)
        if found is not None:
            code, reporter = continued(session, found[0]), found[1]
            digest = add_message(store, session, code, reporter, incoming)
            store.append(session, MESSAGE, _facts(incoming, reporter, digest), case=code)
            return Receipt(code, reporter, is_new_case=False)
        return _open(store, session, incoming)


def reporter_of(session: Session, token: str) -> Reporter | None:
    """Return the reporter of a token, or None."""
    return session.scalar(select(Reporter).where(Reporter.token_hash == token_hash(token)))


def token_hash(token: str) -> bytes:
    """Return the hash that the store keeps of a token, however it was typed."""
    plain = "".join(one for one in token.lower() if one.isalnum())
    return hashlib.sha256(b"firstboot report token\0" + plain.encode()).digest()


def message_digest(salt: bytes, text: str, attachments: str) -> bytes:
    """Return what the log keeps of a message (32 bytes): salted, so that a short text cannot be guessed from it."""
    return hashlib.sha256(salt + text.encode() + b"\0" + attachments.encode()).digest()


def _check(store: CaseStore, incoming: Incoming) -> None:
    if not incoming.text.strip() and not incoming.attachments:
        raise CaseInputError("the report has no text")
    if len(incoming.text) > LONGEST_TEXT:
        raise CaseInputError(f"the text of a report has at most {LONGEST_TEXT} characters")
    if incoming.address is not None and not is_address(incoming.address):
        raise CaseInputError("the reporter's address is not a plain mail address")
    if incoming.received_s is not None and not 0 <= store.now() - incoming.received_s <= OLDEST_S:
        raise CaseInputError("the time of reception is in the future, or more than a year ago")


def _known(session: Session, incoming: Incoming) -> Message | None:
    """Return the message that this one repeats (rule 1)."""
    if incoming.raw_digest is not None:
        found = session.scalar(select(Message).where(Message.raw_digest == incoming.raw_digest))
        if found is not None:
            return found
    if incoming.message_id is None or incoming.address is None:
        return None
    query = (
        select(Message)
        .join(Reporter, Reporter.id == Message.reporter)
        .where(Message.message_id == incoming.message_id, Reporter.address == incoming.address)
    )
    return next((one for one in session.scalars(query) if one.text == incoming.text), None)


def _place(session: Session, incoming: Incoming) -> tuple[str, str] | None:
    """Return (case, reporter) that a message belongs to; None: it opens a case."""
    if incoming.reporter is not None:
        row = session.scalar(select(Message).where(Message.reporter == incoming.reporter).limit(1))
        return None if row is None else (row.case_code, row.reporter)
    if not incoming.answers:
        return None
    notice = session.scalar(
        select(Outgoing).where(Outgoing.message_id.in_(list(incoming.answers)[:50])).limit(1)
    )
    # an answer to a notice about a compliance failure belongs to no case
    return None if notice is None or not is_case(notice.case_code) else (notice.case_code, notice.reporter)


def continued(session: Session, code: str) -> str:
    """Return the case that continues this one (rule 4)."""
    seen = {code}
    while (into := case_of(session, code).merged_into) is not None and into not in seen:
        seen.add(into)
        code = into
    return code


def _open(store: CaseStore, session: Session, incoming: Incoming) -> Receipt:
    place, _ = promise_in_force(session)
    code, reporter, token = store.new_code(session), store.new_id(), None
    if incoming.address is None:
        token = new_token()
    session.add(
        Reporter(
            id=reporter,
            address=incoming.address,
            name=(incoming.name or "")[:LONGEST_NAME] or None,
            token_hash=None if token is None else token_hash(token),
        )
    )
    session.flush()
    digest = add_message(store, session, code, reporter, incoming)
    opened: dict[str, Any] = {
        "channel": incoming.channel,
        "promise": place,
        "reporter": reporter,
        "title": "Untitled report",
    }
    if incoming.received_s is not None:
        opened["received_s"] = incoming.received_s
    store.append(session, OPENED, opened, case=code)
    store.append(session, MESSAGE, _facts(incoming, reporter, digest), case=code)
    return Receipt(code, reporter, is_new_case=True, token=token)


def add_message(store: CaseStore, session: Session, code: str, reporter: str, incoming: Incoming) -> bytes:
    """Keep a message in its table. Return the digest that its event names."""
    salt, attachments = secrets.token_bytes(16), json.dumps(list(incoming.attachments), sort_keys=True)
    digest = message_digest(salt, incoming.text, attachments)
    session.add(
        Message(
            digest=digest,
            case_code=code,
            reporter=reporter,
            received_s=incoming.received_s if incoming.received_s is not None else store.now(),
            salt=salt,
            text=incoming.text,
            raw_digest=incoming.raw_digest,
            message_id=incoming.message_id,
            attachments=attachments,
        )
    )
    session.flush()
    return digest


def _facts(incoming: Incoming, reporter: str, digest: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {"reporter": reporter, "channel": incoming.channel, "digest": digest.hex()}
    if incoming.received_s is not None:
        facts["received_s"] = incoming.received_s
    return facts


def new_token() -> str:
    """Return a new token for an anonymous reporter, in groups that a person can copy."""
    text = "".join(secrets.choice(_TOKEN_ALPHABET) for _ in range(_TOKEN_CHARS))
    return "-".join(text[at : at + _GROUP] for at in range(0, _TOKEN_CHARS, _GROUP))

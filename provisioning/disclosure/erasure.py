"""Erase what is known about a reporter: address, name, token, words, attachments and the mails as they came.

Rules:
1. A reporter of an open case is not erased: status updates are owed until it ends (SI 2023/1007 Sch. 1 para. 2).
   A notice that is on its way is settled first.
2. The events stay, and the chain stays valid: they hold a random number and salted hashes (`models.py`, rule 2). The
   hash of a mail stays too, so that the same mail in a mailbox is not taken in again.
3. After the erasure the reporter is in no list of a case, so a case that is opened again informs nobody who is erased.
4. Files go after the commit: if the program is ended between the two, run it again. Backups still hold everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.disclosure import states
from provisioning.disclosure.case import ERASED, QUEUED, SENDING, UNCLEAR, all_cases
from provisioning.disclosure.errors import CaseInputError, StateError
from provisioning.disclosure.models import Message, Outgoing, Reporter, TakenMail
from provisioning.disclosure.spool import Spool
from provisioning.disclosure.store import CaseStore, is_case, read_events

_ON_ITS_WAY = (QUEUED, SENDING, UNCLEAR)


@dataclass(frozen=True)
class Erased:
    """The result, as numbers. `cases`: those that the reporter had a part in."""

    cases: tuple[str, ...]
    messages: int
    files: int


def erase(store: CaseStore, spool: Spool | None, reporter: str, by: str, reason: str) -> Erased:
    """Erase a reporter. Raises CaseInputError for an unknown one or a missing spool, StateError (rule 1), OSError."""
    with store.writing() as session:
        person = session.get(Reporter, reporter)
        if person is None:
            raise CaseInputError(f"there is no reporter {reporter}")
        codes = _require_ended(session, reporter)
        messages = list(session.scalars(select(Message).where(Message.reporter == reporter)))
        mails, attachments = _files(session, person, messages)
        if (mails or attachments) and spool is None:
            raise CaseInputError("the reporter's mails are in the spool: give its folder with --spool")
        for code in codes:
            store.append(session, ERASED, {"reporter": reporter, "by": by, "reason": reason}, case=code)
        _clear(session, person, messages)
    removed = 0 if spool is None else spool.remove(mails, attachments)
    return Erased(tuple(codes), len(messages), removed)


def _require_ended(session: Session, reporter: str) -> list[str]:
    """Return the cases of a reporter. Raises StateError if one is open or a notice is on its way, and for a party."""
    party = select(Outgoing).where(Outgoing.reporter == reporter)
    for notice in session.scalars(party):
        if not is_case(notice.case_code):
            raise StateError(
                f"notices to this party are part of the record of {notice.case_code}, which is kept ten years (s. 12)"
            )
    found = [
        case
        for case in all_cases(read_events(session)).values()
        if any(event.facts.get("reporter") == reporter for event in case.events) or reporter in case.reporters
    ]
    for case in found:
        if states.is_open(case.state):
            raise StateError(f"case {case.code} is {case.state}: its reporters are informed until it ends")
    waiting = select(Outgoing).where(Outgoing.reporter == reporter, Outgoing.status.in_(_ON_ITS_WAY))
    if session.scalar(waiting.limit(1)) is not None:
        raise StateError(
            "a notice to this reporter is not settled: `firstboot report send`, or `settle-mail`"
        )
    return [case.code for case in found]


def _files(
    session: Session, person: Reporter, messages: Iterable[Message]
) -> tuple[list[bytes], list[bytes]]:
    """Return the hashes of the reporter's mails and attachments that no message of another person has."""
    mails = {one.raw_digest for one in messages if one.raw_digest is not None}
    if person.address is not None:
        taken = select(TakenMail.raw_digest).where(TakenMail.sender == person.address)
        mails |= set(session.scalars(taken))
    others = select(Message.attachments).where(Message.reporter != person.id)
    shared = {digest for text in session.scalars(others) for digest in _digests(text)}
    own = {digest for one in messages for digest in _digests(one.attachments)}
    return sorted(mails), sorted(own - shared)


def _digests(attachments: str) -> set[bytes]:
    return {bytes.fromhex(one["sha256"]) for one in json.loads(attachments) if one.get("sha256")}


def _clear(session: Session, person: Reporter, messages: Iterable[Message]) -> None:
    if person.address is not None:
        for taken in session.scalars(select(TakenMail).where(TakenMail.sender == person.address)):
            taken.sender = ""
    person.address = person.name = person.token_hash = None
    for one in messages:
        one.text = one.message_id = None
        one.attachments = "[]"
    for notice in session.scalars(select(Outgoing).where(Outgoing.reporter == person.id)):
        notice.text = notice.in_reply_to = None
        notice.note = ""

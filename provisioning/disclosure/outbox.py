"""The outbox: every notice is in it before it is sent, and nobody gets a notice twice.

Rules:
1. A notice is queued in the transaction that decides it. Its Message-ID is a keyed hash of what it is about, so a store
   that was restored from a backup gives the same notice the same id.
2. Immediately before the bytes are handed over, "sending" is on disk: in the store, and in a journal next to it that
   no restored backup takes back. After the server's answer, "sent" is in both.
3. If a process or a connection ends between the two, nobody can know whether the server accepted the message. Such a
   notice is *unclear*. It is never sent again by itself: delivery is at most once until a person decides.
4. A server that cannot be reached, or that refuses for now, leaves the notice queued without limit of time. `due` shows
   it. A permanent refusal or a bounce needs a person.
5. A reporter without an address reads a notice with the token; a person who reported by telephone gets it by telephone.
   A party of an investigation without an address gets it by post, and a person records that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from provisioning.disclosure import letter
from provisioning.disclosure.case import (
    DELIVERY,
    FAILED,
    NEEDS_A_PERSON,
    NOTICE,
    QUEUED,
    SENDING,
    SENT,
    SHOWN,
    UNCLEAR,
    WRITTEN,
)
from provisioning.disclosure.errors import (
    CaseInputError,
    MailRefusedError,
    MailUnclearError,
    MailUnreachableError,
    StateError,
)
from provisioning.disclosure.journal import Journal
from provisioning.disclosure.letter import Transport
from provisioning.disclosure.models import Message, Outgoing, Reporter
from provisioning.disclosure.notices import LONGEST_TEXT, UPDATE
from provisioning.disclosure.store import CaseStore

FIRST_WAIT_S: Final = 300
LONGEST_WAIT_S: Final = 6 * 3600
NOTE_CHARS: Final = 200


@dataclass(frozen=True)
class Notice:
    """A message to one reporter, or to a party. `domain`: the right part of its Message-ID, the maker's.

    `party`: the id of the party of an investigation; one without a mail address gets the notice by post.
    """

    purpose: str
    subject: str
    text: str
    domain: str
    party: str = ""


@dataclass
class Delivered:
    """The result of a run, as numbers of notices. `is_reachable`: False if the server could not be reached."""

    sent: int = 0
    waiting: int = 0
    unclear: int = 0
    failed: int = 0
    is_reachable: bool = True
    problems: list[str] = field(default_factory=list)


def queue(store: CaseStore, session: Session, case: str, reporter: str, notice: Notice) -> str:
    """Queue a notice inside the transaction that decides it. Return its Message-ID."""
    if len(notice.text) > LONGEST_TEXT:
        raise CaseInputError(f"the text of a notice has at most {LONGEST_TEXT} characters")
    person = session.get_one(Reporter, reporter)
    message_id = _message_id(store, session, case, reporter, notice)
    without = WRITTEN if notice.party else SHOWN
    status = QUEUED if person.address is not None else without
    now = store.now()
    facts = {
        "message_id": message_id,
        "reporter": reporter,
        "purpose": notice.purpose,
        "status": status,
        "text_sha256": hashlib.sha256(notice.text.encode()).hexdigest(),
    }
    if notice.party:
        facts["party"] = notice.party
    event = store.append(session, NOTICE, facts, case=case)
    session.add(
        Outgoing(
            message_id=message_id,
            case_code=case,
            reporter=reporter,
            number=event.number,
            purpose=notice.purpose,
            subject=notice.subject,
            text=notice.text,
            in_reply_to=_last_message(session, case, reporter),
            status=status,
            queued_s=now,
            next_try_s=now,
            tries=0,
            note="",
        )
    )
    return message_id


def _message_id(store: CaseStore, session: Session, case: str, reporter: str, notice: Notice) -> str:
    """Return the Message-ID (rule 1): from the reporter's first mail, the purpose, and how many came before."""
    first = session.scalar(
        select(Message.raw_digest)
        .where(Message.reporter == reporter, Message.raw_digest.is_not(None))
        .order_by(Message.received_s)
        .limit(1)
    )
    before = session.scalar(
        select(func.count())
        .select_from(Outgoing)
        .where(Outgoing.reporter == reporter, Outgoing.purpose == notice.purpose)
    )
    about = first.hex() if first is not None else f"{case} {reporter}"
    words = hashlib.sha256(notice.text.encode()).hexdigest() if notice.purpose == UPDATE else ""
    mark = store.mark("message id", f"{about} {notice.purpose} {before} {words}".encode())
    return f"<{mark[:16].hex()}@{notice.domain}>"


def _last_message(session: Session, case: str, reporter: str) -> str | None:
    query = select(Message.message_id).where(Message.case_code == case, Message.reporter == reporter)
    return session.scalar(query.order_by(Message.received_s.desc()).limit(1))


# Sending ----------------------------------------------------------------------------------------------------------


def deliver(
    store: CaseStore, journal: Journal, transport: Transport, sender: str, most: int = 200
) -> Delivered:
    """Send what is queued and due for a try, the oldest first. Return what happened.

    Raises OutboxBusyError if another process sends from this store, MailError if the server refuses the login.
    """
    report = Delivered()
    with journal.locked():
        recover(store, journal)
        for message_id in _waiting(store, most):
            if not report.is_reachable:
                report.waiting += 1
                continue
            _deliver_one(store, journal, transport, sender, message_id, report)
    return report


def _waiting(store: CaseStore, most: int) -> list[str]:
    query = select(Outgoing.message_id).where(Outgoing.status == QUEUED, Outgoing.next_try_s <= store.now())
    with store.reading() as session:
        return list(session.scalars(query.order_by(Outgoing.queued_s, Outgoing.number).limit(most)))


def _deliver_one(
    store: CaseStore, journal: Journal, transport: Transport, sender: str, message_id: str, report: Delivered
) -> None:
    with store.reading() as session:
        row = session.get_one(Outgoing, message_id)
        person = session.get_one(Reporter, row.reporter)
    known = journal.status(message_id)
    if known is not None:  # a restored store does not know what happened after its backup (rule 2)
        status = SENT if known == SENT else UNCLEAR
        _settle(store, message_id, status, "found in the journal of sent mail")
        report.sent += status == SENT
        report.unclear += status == UNCLEAR
        return
    if person.address is None or row.text is None:
        _settle(store, message_id, FAILED, "the address was erased")
        report.failed += 1
        return
    data = letter.build(row, sender, person.address, store.now())
    try:
        transport.send(data, sender, person.address, lambda: _claim(store, journal, message_id))
    except MailUnreachableError as error:
        report.is_reachable = False
        report.waiting += 1
        report.problems.append(str(error))
    except MailRefusedError as error:
        _refused(store, journal, message_id, error, report)
    except MailUnclearError:
        _settle(store, message_id, UNCLEAR, "the connection ended before the server answered")
        report.unclear += 1
    else:
        journal.note(message_id, SENT)
        _settle(store, message_id, SENT, "")
        report.sent += 1


def _claim(store: CaseStore, journal: Journal, message_id: str) -> None:
    with store.writing() as session:
        session.get_one(Outgoing, message_id).status = SENDING
    journal.note(message_id, SENDING)


def _refused(
    store: CaseStore, journal: Journal, message_id: str, error: MailRefusedError, report: Delivered
) -> None:
    journal.forget(message_id)  # the server answered: it does not have the message
    if error.is_permanent:
        _settle(store, message_id, FAILED, f"refused with code {error.code}")
        report.failed += 1
        return
    with store.writing() as session:
        row = session.get_one(Outgoing, message_id)
        row.status, row.note = QUEUED, f"refused for now with code {error.code}"
        row.next_try_s = store.now() + min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(row.tries, 10))
        row.tries += 1
    report.waiting += 1


def _settle(store: CaseStore, message_id: str, status: str, note: str) -> None:
    with store.writing() as session:
        settle(store, session, message_id, status, note)


def settle(store: CaseStore, session: Session, message_id: str, status: str, note: str, by: str = "") -> None:
    """Record what became of a notice, inside a transaction."""
    row = session.get_one(Outgoing, message_id)
    row.status, row.note = status, note[:NOTE_CHARS]
    facts = {"message_id": message_id, "status": status, "note": note[:NOTE_CHARS]}
    store.append(session, DELIVERY, facts | ({"by": by} if by else {}), case=row.case_code)


def recover(store: CaseStore, journal: Journal) -> int:
    """Settle the notices that a killed process left in "sending" (rule 3). Return how many. The journal is locked."""
    with store.writing() as session:
        left = list(session.scalars(select(Outgoing.message_id).where(Outgoing.status == SENDING)))
        for message_id in left:
            # the journal is written before the first byte, so without a line the server has nothing
            status = {SENT: SENT, SENDING: UNCLEAR}.get(journal.status(message_id) or "", QUEUED)
            settle(store, session, message_id, status, "the sending process ended")
    return len(left)


# Decisions of a person ---------------------------------------------------------------------------------------------


def decide(store: CaseStore, journal: Journal, message_id: str, *, is_delivered: bool, by: str) -> None:
    """Settle a notice that needs a person: it was delivered, or it is sent again with the same Message-ID.

    Raises StateError if it needs nobody.
    """
    with journal.locked(), store.writing() as session:
        row = session.get(Outgoing, message_id)
        if row is None or row.status not in NEEDS_A_PERSON:
            raise StateError("no notice with this Message-ID needs a decision")
        if not is_delivered and row.status == WRITTEN:
            raise StateError("this notice goes by post: record that it was delivered")
        if not is_delivered:
            journal.forget(message_id)
            row.next_try_s = store.now()
        settle(store, session, message_id, SENT if is_delivered else QUEUED, "a person decided", by)


@contextmanager
def listed(store: CaseStore) -> Iterator[list[Outgoing]]:
    """Open the list of notices that are not delivered, the oldest first, detached."""
    query = (
        select(Outgoing)
        .where(Outgoing.status.not_in((SENT, SHOWN)))
        .order_by(Outgoing.queued_s, Outgoing.number)
    )
    with store.reading() as session:
        yield list(session.scalars(query))

"""Takes mails in, from a folder or a mailbox: each becomes a case, a message of a case, a bounce, or is held.

Rules:
1. A mail is in the spool before anything else happens with it (`spool.py`), and the same mail counts once.
2. Floods are bounded: SENDER_MOST mails of one sender and TOTAL_MOST mails in 24 hours become messages. Every mail
   beyond is *held*: in the spool, listed, and opened by a person.
3. A mail that a program wrote opens no case, and a mail without a plain sender opens none: both are held.
4. A failed delivery marks the notice whose Message-ID it names. Only a server that has the notice knows that number.
5. A mail of our own that comes back (we are among its receivers) proves that an unclear notice was accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from provisioning.disclosure import outbox, reception
from provisioning.disclosure.case import BOUNCED, SENT, UNCLEAR
from provisioning.disclosure.errors import StateError
from provisioning.disclosure.mime import Mail, read_mail
from provisioning.disclosure.models import Message, Outgoing, Reporter, TakenMail
from provisioning.disclosure.reception import Incoming
from provisioning.disclosure.spool import Spool
from provisioning.disclosure.store import CaseStore, is_case

SENDER_MOST: Final = 20
TOTAL_MOST: Final = 300
_DAY_S: Final = 86400


class Result(StrEnum):
    """The result of taking a mail in."""

    NEW_CASE = "new case"
    ADDED = "added"
    KNOWN = "known"
    BOUNCE = "bounce"
    OWN = "own"
    HELD = "held"


@dataclass(frozen=True)
class Taken:
    """The result for one mail. `case`: "" if it belongs to no case."""

    result: Result
    digest: bytes
    case: str = ""
    reason: str = ""


class Intake:
    """Takes mails into one store. `sender_most`, `total_most`: the bounds of rule 2."""

    def __init__(
        self, store: CaseStore, spool: Spool, *, sender_most: int = SENDER_MOST, total_most: int = TOTAL_MOST
    ) -> None:
        self.store = store
        self.spool = spool
        self._sender_most = sender_most
        self._total_most = total_most

    def take(self, data: bytes, received_s: int | None = None, size: int | None = None) -> Taken:
        """Take one mail in. `size`: of the whole mail if `data` is only its beginning; `received_s`: when it came.

        Raises SpoolFullError, CaseClockError, CaseInputError without a promise, RegistryError, OSError.
        """
        digest = self.spool.keep_mail(data)
        with self.store.reading() as session:
            if _is_taken(session, digest):
                return Taken(Result.KNOWN, digest)
        mail = read_mail(data, size)
        settled = self._of_our_own(mail, digest)
        if settled is not None:
            return settled
        received_s = min(received_s or self.store.now(), self.store.now())
        reason = self._reason_to_hold(mail)
        if reason:
            self._hold(digest, mail.sender or "", received_s, reason)
            return Taken(Result.HELD, digest, reason=reason)
        return self._receive(mail, digest, received_s, mail.sender)

    def open_held(self, digest: bytes, address: str | None) -> Taken:
        """Open a held mail as a case, by a person's decision. Raises StateError if it is not held."""
        with self.store.reading() as session:
            row = session.get(TakenMail, digest)
        if row is None or not row.is_held:
            raise StateError("no held mail has this SHA-256")
        data = self.spool.path_of(digest).read_bytes()
        taken = self._receive(read_mail(data), digest, row.received_s, address or row.sender or None)
        with self.store.writing() as session:
            session.get_one(TakenMail, digest).is_held = False
        return taken

    def set_aside(self, digest: bytes) -> None:
        """End the holding of a mail that is not a report; its file stays. Raises StateError if it is not held."""
        with self.store.writing() as session:
            row = session.get(TakenMail, digest)
            if row is None or not row.is_held:
                raise StateError("no held mail has this SHA-256")
            row.is_held = False

    def again(self) -> list[Taken]:
        """Take in what the spool has and the store does not: after a restore, or a process that ended too early."""
        found = []
        for digest, path in self.spool.mails():
            with self.store.reading() as session:
                if _is_taken(session, digest):
                    continue
            found.append(self.take(path.read_bytes(), int(path.stat().st_mtime)))
        return found

    # Inside ------------------------------------------------------------------------------------------------------

    def _receive(self, mail: Mail, digest: bytes, received_s: int, address: str | None) -> Taken:
        oldest = self.store.now() - reception.OLDEST_S
        receipt = reception.receive(
            self.store,
            Incoming(
                reception.MAIL,
                mail.text,
                address=address,
                name=mail.name,
                received_s=max(received_s, oldest),
                raw_digest=digest,
                message_id=mail.message_id,
                answers=mail.answers,
                attachments=self._quarantine(mail),
            ),
        )
        if receipt.is_known:
            return Taken(Result.KNOWN, digest, receipt.case)
        return Taken(Result.NEW_CASE if receipt.is_new_case else Result.ADDED, digest, receipt.case)

    def _quarantine(self, mail: Mail) -> Sequence[dict[str, Any]]:
        return [
            {
                "name": one.name,
                "type": one.kind,
                "bytes": len(one.data),
                "sha256": self.spool.keep_attachment(one.data).hex(),
            }
            for one in mail.attachments
        ]

    def _of_our_own(self, mail: Mail, digest: bytes) -> Taken | None:
        """Settle a notice that a bounce or a copy of itself is about (rules 4 and 5); None for any other mail."""
        about = mail.bounce.message_id if mail.bounce is not None else mail.message_id
        if about is None:
            return None
        with self.store.writing() as session:
            notice = session.get(Outgoing, about)
            if notice is None:
                return None
            reason = "a failed delivery" if mail.bounce is not None else "a notice of our own"
            session.add(
                TakenMail(
                    raw_digest=digest, sender="", received_s=self.store.now(), reason=reason, is_held=False
                )
            )
            if mail.bounce is not None:
                if notice.status in (SENT, UNCLEAR):
                    outbox.settle(self.store, session, about, BOUNCED, f"returned with {mail.bounce.status}")
                return Taken(Result.BOUNCE, digest, notice.case_code)
            if notice.status == UNCLEAR:
                outbox.settle(self.store, session, about, SENT, "a copy of it arrived")
            return Taken(Result.OWN, digest, notice.case_code)

    def _reason_to_hold(self, mail: Mail) -> str:
        with self.store.reading() as session:
            about = _answered(session, mail.answers)
            is_answer = about is not None
            if about is not None and not is_case(about):
                return f"it answers a notice of {about}"
            if mail.is_automatic and not is_answer:
                return "a program wrote it"
            if mail.sender is None:
                return "it has no plain sender address"
            since_s = self.store.now() - _DAY_S
            recent = select(func.count()).select_from(Message).where(Message.received_s >= since_s)
            by_sender = recent.join(Reporter, Reporter.id == Message.reporter).where(
                Reporter.address == mail.sender
            )
            if (session.scalar(by_sender) or 0) >= self._sender_most:
                return "its sender wrote too often in 24 hours"
            if not is_answer and (session.scalar(recent) or 0) >= self._total_most:
                return "too many mails came in 24 hours"
        return ""

    def _hold(self, digest: bytes, sender: str, received_s: int, reason: str) -> None:
        with self.store.writing() as session:
            if session.get(TakenMail, digest) is None:
                session.add(
                    TakenMail(
                        raw_digest=digest, sender=sender, received_s=received_s, reason=reason, is_held=True
                    )
                )


def held(store: CaseStore) -> list[TakenMail]:
    """Return the held mails, the oldest first, detached."""
    with store.reading() as session:
        query = select(TakenMail).where(TakenMail.is_held)
        return list(session.scalars(query.order_by(TakenMail.received_s, TakenMail.raw_digest)))


def _is_taken(session: Session, digest: bytes) -> bool:
    known = session.scalar(select(Message.digest).where(Message.raw_digest == digest))
    return known is not None or session.get(TakenMail, digest) is not None


def _answered(session: Session, answers: Sequence[str]) -> str | None:
    """Return the number that the answered notice is about; None for a mail that answers none of ours."""
    if not answers:
        return None
    query = select(Outgoing.case_code).where(Outgoing.message_id.in_(list(answers)[:50])).limit(1)
    return session.scalar(query)

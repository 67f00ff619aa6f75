"""Writes the notices of s. 11 and queues them, once for each party (CF-03).

Rules:
1. A notice is queued in the outbox of the case store in the transaction that records it, with the id of its party. A
   party that has a notice of the same purpose gets no second one, however often the command runs; a party that is new
   since then gets its first.
2. Its Message-ID is a keyed hash of investigation, party and purpose, so a store that was restored from a backup finds
   in the journal that the notice was sent (`disclosure/outbox.py`).
3. The authority comes first. Each party without a mail address gets a file that a person posts, and the notice needs
   that person's word until then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from provisioning.disclosure import outbox
from provisioning.disclosure.case import DELIVERED
from provisioning.disclosure.errors import CaseConflictError, CaseInputError, StateError
from provisioning.disclosure.models import Outgoing, Reporter
from provisioning.failures import desk, notices
from provisioning.failures.investigation import AUTHORITY
from provisioning.file_system import replace_file
from provisioning.mail_address import is_address

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from provisioning.disclosure.desk import Decision
    from provisioning.disclosure.store import CaseStore
    from provisioning.failures.investigation import Investigation
    from provisioning.failures.parties import Party


@dataclass(frozen=True)
class Maker:
    """The manufacturer who notifies. `domain`: the right part of the Message-IDs."""

    name: str
    domain: str


@dataclass(frozen=True)
class Written:
    """One notice. `is_new`: False if the party has it already; `message_id`: of its entry in the outbox."""

    party: Party
    message_id: str
    is_new: bool
    status: str


def notify(
    store: CaseStore, code: str, parties: Sequence[Party], maker: Maker, decision: Decision
) -> list[Written]:
    """Queue a notice to each party that has none of this purpose (rule 1). Return one entry for each party.

    Raises StateError without a confirmed failure, CaseConflictError, CaseInputError for an address that cannot be used.
    """
    for party in parties:
        if party.email is not None and not is_address(party.email):
            raise CaseInputError(f"the mail address of {party.id} is not a plain address")
    with store.writing() as session:
        found = desk.read(session, code)
        if found.version != decision.version:
            raise CaseConflictError(code, found.version, decision.version)
        if not found.is_failure:
            raise StateError(f"{code} is {found.state}: a notice follows a confirmed failure")
        purpose = notices.purpose_of(found)
        return [_notice(store, session, code, party, maker, purpose) for party in parties]


def _notice(
    store: CaseStore, session: Session, code: str, party: Party, maker: Maker, purpose: str
) -> Written:
    found = desk.read(session, code)
    known = found.notice_to(party.id, purpose)
    if known is not None:
        return Written(party, known.message_id, False, known.status)
    if party.id == AUTHORITY and found.authority and purpose.endswith(notices.FIRST):
        return Written(party, "", False, "notified by a person")
    row = _receiver(store, session, party)
    notice = outbox.Notice(
        purpose, notices.subject(found), notices.text(found, party, maker.name), maker.domain, party.id
    )
    message_id = outbox.queue(store, session, code, row.id, notice)
    return Written(party, message_id, True, session.get_one(Outgoing, message_id).status)


def _receiver(store: CaseStore, session: Session, party: Party) -> Reporter:
    """Return the row that holds the party's address for the outbox; its id says nothing about the party."""
    number = store.mark("party", party.id.encode())[:8].hex()
    row = session.get(Reporter, number)
    if row is None:
        row = Reporter(id=number, address=None, name=None, token_hash=None)
        session.add(row)
    row.address = party.email
    session.flush()
    return row


def write_files(
    store: CaseStore, found: Investigation, written: Sequence[Written], maker: Maker, to: Path
) -> list[Path]:
    """Write each notice as text and as JSON into a folder. Return the files. Raises OSError.

    The text is the one in the outbox, so what is posted is what the log has.
    """
    to.mkdir(parents=True, exist_ok=True)
    files = []
    for each in written:
        name = f"{found.code}-{each.party.id}"
        body = _queued_text(store, each.message_id) or notices.text(found, each.party, maker.name)
        facts = notices.document(found, each.party, maker.name) | {"message_id": each.message_id or None}
        for path, data in (
            (to / f"{name}.txt", body),
            (to / f"{name}.json", json.dumps(facts, indent=2) + "\n"),
        ):
            replace_file(path, data.encode())
            files.append(path)
    return files


def _queued_text(store: CaseStore, message_id: str) -> str | None:
    with store.reading() as session:
        return session.scalar(select(Outgoing.text).where(Outgoing.message_id == message_id))


def undelivered(found: Investigation) -> list[str]:
    """Return the ids of parties whose notice is not delivered yet."""
    return [
        found.parties[message_id]
        for message_id, notice in found.notices.items()
        if notice.status not in DELIVERED
    ]

"""Verifies a case store: chains, signatures and checkpoints, and the tables against the signed log.

What was changed, cut off or added outside the program is found. What no exported checkpoint covers can still be cut off
at the end by a person who has the key: keep checkpoints elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.disclosure.case import DELIVERY, NOTICE, THANKS, Case, all_cases
from provisioning.disclosure.errors import CaseError
from provisioning.disclosure.models import Message, Outgoing
from provisioning.disclosure.reception import message_digest
from provisioning.disclosure.store import CaseStore, Event, read_events, stored_chains, stored_checkpoints
from provisioning.registry.chains import MOST_PROBLEMS, Report, verify_chains
from provisioning.registry.errors import ChainError


def verify(store: CaseStore, exported: Sequence[str] = (), trusted: Sequence[bytes] = ()) -> Report:
    """Check everything and return what was checked. `exported`: checkpoints kept elsewhere. Raises ChainError."""
    with store.reading() as session:
        found = stored_chains(session)
        texts = [row.data.decode("utf-8", "replace") for row in stored_checkpoints(session)]
        faults = problems(session)
    report = verify_chains(found, {store.database.registry_id.hex(): texts}, exported, trusted)
    if faults:
        raise ChainError(faults[:MOST_PROBLEMS])
    return report


def problems(session: Session) -> list[str]:
    """Return every difference, one sentence each."""
    try:
        events = read_events(session)
        cases = all_cases(events)
    except (CaseError, KeyError, ValueError, TypeError) as error:
        return [f"the events do not make cases: {type(error).__name__}"]
    return [
        *_messages(session, cases),
        *_notices(session, sorted(events, key=lambda each: (each.case or "", each.version))),
    ]


def _messages(session: Session, cases: dict[str, Case]) -> Iterator[str]:
    recorded = {digest: code for code, case in cases.items() for _, _, digest in case.messages}
    recorded |= {
        event.facts["digest"]: code
        for code, case in cases.items()
        for event in case.events
        if event.kind == THANKS and event.facts.get("digest")
    }
    stored = {row.digest.hex(): row for row in session.scalars(select(Message))}
    for digest, code in recorded.items():
        if digest not in stored:
            yield f"a message of case {code} is gone"
    for digest, row in stored.items():
        if recorded.get(digest) != row.case_code:
            yield f"case {row.case_code} has a message that the log does not have"
        elif row.text is not None and message_digest(row.salt, row.text, row.attachments) != row.digest:
            yield f"a message of case {row.case_code} was changed"


def _notices(session: Session, events: Sequence[Event]) -> Iterator[str]:
    recorded: dict[str, tuple[str, str]] = {}
    statuses: dict[str, str] = {}
    for event in events:
        if event.kind == NOTICE:
            recorded[event.facts["message_id"]] = (str(event.case), event.facts["text_sha256"])
        if event.kind in (NOTICE, DELIVERY):
            statuses[event.facts["message_id"]] = event.facts["status"]
    stored = {row.message_id: row for row in session.scalars(select(Outgoing))}
    for message_id, (code, digest) in recorded.items():
        row = stored.get(message_id)
        if row is None:
            yield f"a notice of case {code} is gone"
        elif row.text is not None and hashlib.sha256(row.text.encode()).hexdigest() != digest:
            yield f"a notice of case {code} was changed"
        elif row.status != "sending" and row.status != statuses[message_id]:
            yield f"a notice of case {code} is {row.status} in its table and not in the log"
    for message_id, row in stored.items():
        if message_id not in recorded:
            yield f"case {row.case_code} has a notice that the log does not have"

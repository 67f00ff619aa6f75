"""The record of s. 12 of the Act: outcome, details, steps and their success, who was notified, and the signed log.

Rules:
1. The record is complete when an investigation has a result. Before that its `missing` names what is not there yet.
2. It is kept ten years from its last entry (s. 12(4)). No command removes an event of the log, and `firstboot report
   erase` refuses the parties of an investigation. The file is a copy to be kept elsewhere as well.
3. Each event has its place and hash in the log, so `firstboot report verify` shows that the copy is of that log.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from provisioning.disclosure.models import CaseEvent
from provisioning.failures.states import State

if TYPE_CHECKING:
    from provisioning.disclosure.store import CaseStore
    from provisioning.failures.investigation import Investigation


def missing(found: Investigation) -> list[str]:
    """Return what s. 12(2) asks for and the record does not have yet, one phrase each."""
    lacking = []
    if found.state is State.OPEN:
        lacking.append("the outcome (s. 12(2)(a))")
    if found.is_failure and found.state is State.FAILURE:
        lacking.append("whether the failure was remedied (s. 12(2)(c))")
    if found.is_failure and not found.steps:
        lacking.append("the steps taken to remedy it (s. 12(2)(c))")
    lacking += [
        f"whether step {one.number} was successful (s. 12(2)(c))"
        for one in found.steps
        if one.is_successful is None
    ]
    return lacking


def record_of(store: CaseStore, found: Investigation) -> dict[str, Any]:
    """Return the whole record as plain values."""
    return {
        "record": "investigation of a possible compliance failure (PSTI Act 2022, s. 12)",
        "reference": found.code,
        "state": str(found.state),
        "product": found.model,
        "batches": list(found.batches) if found.batches != ("",) else None,
        "suspicion": found.suspicion,
        "origin": dict(found.origin),
        "informed": _time(found.informed_s),
        "opened": _time(found.opened_s),
        "evidence": list(found.evidence),
        "outcome": found.outcome or None,
        "is_compliance_failure": found.is_failure if found.state is not State.OPEN else None,
        "details": found.failure.get("details"),
        "risks": found.failure.get("risks"),
        "steps": [
            {"step": one.text, "taken": _time(one.time_s), "is_successful": one.is_successful}
            for one in found.steps
        ],
        "recalled": None if found.recalled_s is None else _time(found.recalled_s),
        "notices": [
            {
                "party": found.parties[message_id],
                "purpose": notice.purpose,
                "status": notice.status,
                "since": _time(notice.status_s),
                "message_id": message_id,
            }
            for message_id, notice in found.notices.items()
        ],
        "authority_notified": _time_or_none(found.authority_notified_s()),
        "authority_reference": found.authority.get("reference"),
        "missing": missing(found),
        "keep_until": found.keep_until().isoformat(),
        "log": _log(store, found.code),
    }


def _log(store: CaseStore, code: str) -> list[dict[str, Any]]:
    query = select(CaseEvent).where(CaseEvent.case_code == code).order_by(CaseEvent.version)
    with store.reading() as session:
        return [
            {
                "chain": row.chain,
                "number": row.number,
                "hash": row.hash.hex(),
                "signature": row.signature.hex(),
                "event": row.body,
            }
            for row in session.scalars(query)
        ]


def text_of(record: dict[str, Any]) -> str:
    """Return a record as a page of text for a person."""
    steps = [
        f"  {one['taken']}: {one['step']} (successful: {one['is_successful']})" for one in record["steps"]
    ]
    notices = [
        f"  {one['party']}, {one['purpose']}: {one['status']} {one['since']}" for one in record["notices"]
    ]
    batches = "all" if record["batches"] is None else ", ".join(record["batches"])
    lines = [
        f"Record {record['reference']}: {record['record']}",
        f"State: {record['state']}",
        f"Product: {record['product']}, batches: {batches}",
        f"Informed: {record['informed']}, by {record['origin']['kind']} {record['origin']['reference']}",
        f"Suspicion: {record['suspicion']}",
        *[f"Evidence: {each}" for each in record["evidence"]],
        f"Outcome: {record['outcome'] or 'not known yet'}",
        *([f"Details: {record['details']}", f"Risks: {record['risks']}"] if record["details"] else []),
        "Steps:",
        *(steps or ["  none"]),
        "Notices:",
        *(notices or ["  none"]),
        f"Authority notified: {record['authority_notified'] or 'no'}",
        *[f"Missing: {each}" for each in record["missing"]],
        f"Keep until: {record['keep_until']}",
    ]
    return "\n".join(lines) + "\n"


def _time(time_s: int) -> str:
    return dt.datetime.fromtimestamp(time_s, dt.UTC).isoformat(timespec="seconds")


def _time_or_none(time_s: int | None) -> str | None:
    return None if time_s is None else _time(time_s)

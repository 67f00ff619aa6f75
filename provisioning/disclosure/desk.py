"""The operations of people on cases: take in a report, decide, inform. Each operation is one durable transaction.

Rules:
1. A decision, the new state and the notices that it causes are committed together, so no case changes without its
   reporters' notices being queued, and no notice is queued without the event that names it.
2. Every decision names a person and the version of the case that the person saw (`store.py`, rule 2).
3. Two cases about one problem become one: the merged case ends, its reporters get their news from the other one, and
   the reporters of both are informed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from provisioning.disclosure import letter, notices, outbox, states
from provisioning.disclosure.case import (
    AWARE,
    EMBARGO,
    FILED,
    JOINED,
    PROMISE,
    Case,
    all_cases,
    fold,
    promises_of,
)
from provisioning.disclosure.clocks import DUTIES, STAGES, authority_due
from provisioning.disclosure.errors import CaseConflictError, CaseInputError, StateError, UnknownCaseError
from provisioning.disclosure.models import Message
from provisioning.disclosure.promise import Promise
from provisioning.disclosure.states import Step
from provisioning.disclosure.store import CLOCK, CaseStore, is_case, read_events, read_store_events
from provisioning.product.public_texts import POLICY, POLICY_HINT

NOTIFYING: tuple[Step, ...] = (
    Step.ACKNOWLEDGE, Step.CONFIRM, Step.REJECT, Step.RESOLVE, Step.PUBLISH, Step.CLOSE, Step.MERGE,
)  # fmt: skip


@dataclass(frozen=True)
class Decision:
    """A person, the version of the case that they saw, and the words for the reporters. `link`: of an advisory."""

    by: str
    version: int
    text: str = ""
    reason: str = ""
    link: str = ""

    def facts(self) -> dict[str, Any]:
        """Return what the signed log keeps of it; the text is in the notice."""
        return {
            name: value
            for name, value in (("by", self.by), ("reason", self.reason), ("link", self.link))
            if value
        }


def load(store: CaseStore, code: str) -> Case:
    """Return one case. Raises UnknownCaseError."""
    with store.reading() as session:
        return _with_names(session, {code: case_of(session, code)})[code]


def load_all(store: CaseStore) -> dict[str, Case]:
    """Return every case by its number."""
    with store.reading() as session:
        return _with_names(session, all_cases(read_events(session)))


def _with_names(session: Session, cases: dict[str, Case]) -> dict[str, Case]:
    """Add the names of the reporters who are thanked: the log has only their digests."""
    for case in cases.values():
        rows = [session.get(Message, bytes.fromhex(digest)) for digest in case.thanks.values()]
        case.thanked = tuple(row.text for row in rows if row is not None and row.text is not None)
    return cases


def case_of(session: Session, code: str) -> Case:
    """Return one case inside a transaction. Raises UnknownCaseError."""
    if not is_case(code):
        raise UnknownCaseError(f"there is no case {code}")
    return fold(read_events(session, code), promises_of(read_store_events(session)))


# The store --------------------------------------------------------------------------------------------------------


def record_promise(store: CaseStore, promise: Promise, by: str) -> bool:
    """Record what the maker publishes from now on. Return False if the log has the same promise already."""
    with store.writing() as session:
        known = promises_of(read_store_events(session))
        if known and list(known.values())[-1] == promise:
            return False
        store.append(session, PROMISE, {**promise.facts(), "by": by})
    return True


def record_clock(store: CaseStore, by: str, reason: str) -> None:
    """Record that the clock was wrong in earlier events, so that the log continues with the present time."""
    with store.writing() as session:
        store.append(session, CLOCK, {"by": by, "reason": reason})


def promise_in_force(session: Session) -> tuple[list[Any], Promise]:
    """Return the place of the newest promise in the log, and the promise. Raises CaseInputError without one."""
    known = promises_of(read_store_events(session))
    if not known:
        raise CaseInputError(
            "the store does not know what you publish: run `firstboot report promise --product product.toml` first"
        )
    (chain, number), promise = list(known.items())[-1]
    return [chain, number], promise


# Decisions --------------------------------------------------------------------------------------------------------


def decide(
    store: CaseStore, code: str, step: Step, decision: Decision, facts: Mapping[str, Any] | None = None
) -> Case:
    """Take a step of the table of states and queue a notice to every reporter. Return the case.

    Raises UnknownCaseError, StateError, CaseConflictError, CaseClockError.
    """
    with store.writing() as session:
        case = case_of(session, code)
        states.after(case.state, step)
        store.append(
            session, step, {**(facts or {}), **decision.facts()}, case=code, expected=decision.version
        )
        if step in NOTIFYING:
            _inform(store, session, case, step, decision, case.reporters)
        return case_of(session, code)


def update(store: CaseStore, code: str, decision: Decision) -> Case:
    """Queue a status update to every reporter. Return the case. Raises StateError if the case has ended."""
    if not decision.text.strip():
        raise CaseInputError("a status update needs a text: what happened since the last one")
    with store.writing() as session:
        case = case_of(session, code)
        if not states.is_open(case.state):
            raise StateError(f"case {code} is {case.state}: no status update is owed. Open it again first")
        _require_version(store, session, case, decision)
        _inform(store, session, case, notices.UPDATE, decision, case.reporters)
        return case_of(session, code)


def merge(store: CaseStore, code: str, into: str, decision: Decision) -> Case:
    """Merge case `code` into `into` (rule 3). Return the case that continues."""
    with store.writing() as session:
        case, main = case_of(session, code), case_of(session, into)
        if code == into or not states.is_open(main.state):
            raise StateError(f"case {into} cannot continue another one: it is the same case, or it has ended")
        states.after(case.state, Step.MERGE)
        before = list(main.reporters)
        # a reporter who was acknowledged before the merge is not owed that a second time
        since = {
            reporter: since_s if case.informed_s(reporter) is None else store.now()
            for reporter, since_s in case.reporters.items()
        }
        store.append(
            session, Step.MERGE, {**decision.facts(), "into": into}, case=code, expected=decision.version
        )
        store.append(session, JOINED, {"from": code, "reporters": since, "by": decision.by}, case=into)
        main = case_of(session, into)
        joined = [reporter for reporter in case.reporters if reporter not in before]
        _inform(store, session, main, Step.MERGE, decision, joined, subject_of=case, other=into)
        _inform(store, session, main, notices.JOINED, decision, before)
        return case_of(session, into)


def record_awareness(store: CaseStore, code: str, duty: str, aware_s: int, decision: Decision) -> Case:
    """Record when the maker became aware: from then on the times of CRA Art. 14 run (CF-05). Return the case."""
    if duty not in DUTIES:
        raise CaseInputError(f"the duty is one of {', '.join(DUTIES)}")
    if aware_s > store.now():
        raise CaseInputError("the time of awareness is in the future")
    with store.writing() as session:
        case = case_of(session, code)
        if duty in case.aware_s and aware_s > case.aware_s[duty]:
            raise CaseInputError(
                "awareness is recorded already, and can only be corrected to an earlier time"
            )
        facts = {**decision.facts(), "duty": duty, "aware_s": aware_s}
        store.append(session, AWARE, facts, case=code, expected=decision.version)
        return case_of(session, code)


def record_filing(
    store: CaseStore, code: str, duty: str, stage: str, filed: tuple[int, str], decision: Decision
) -> Case:
    """Record that a person filed a stage of CRA Art. 14. `filed`: time and reference number. Return the case."""
    filed_s, reference = filed
    with store.writing() as session:
        case = case_of(session, code)
        if stage not in STAGES or duty not in case.aware_s:
            raise StateError(f"case {code} has no {duty} duty: record the awareness first")
        if not case.aware_s[duty] <= filed_s <= store.now():
            raise CaseInputError("the time of filing is before the awareness, or in the future")
        if stage == STAGES[2] and authority_due(case, duty, stage) is None:
            raise StateError("the final report follows the fix, or the notification of the incident")
        facts = {**decision.facts(), "duty": duty, "stage": stage, "filed_s": filed_s, "reference": reference}
        store.append(session, FILED, facts, case=code, expected=decision.version)
        return case_of(session, code)


def record_embargo(store: CaseStore, code: str, until: str, is_lifted: bool, decision: Decision) -> Case:
    """Record until when a case is kept secret, or that it is not any more. Return the case."""
    with store.writing() as session:
        case_of(session, code)
        facts = {**decision.facts(), "until": until, "is_lifted": is_lifted}
        store.append(session, EMBARGO, facts, case=code, expected=decision.version)
        return case_of(session, code)


# Inside -----------------------------------------------------------------------------------------------------------


def _require_version(store: CaseStore, session: Session, case: Case, decision: Decision) -> None:
    if case.version != decision.version:
        raise CaseConflictError(case.code, case.version, decision.version)


def _inform(
    store: CaseStore,
    session: Session,
    case: Case,
    purpose: str,
    decision: Decision,
    reporters: Iterable[str],
    *,
    subject_of: Case | None = None,
    other: str = "",
) -> None:
    shown = subject_of or case
    words = notices.Words(shown, case.promise.update_due(store.now()), decision.text, decision.link, other)
    notice = outbox.Notice(
        purpose,
        notices.subject(shown, purpose),
        notices.text(purpose, words),
        letter.domain_of(case.promise.contact),
    )
    for reporter in reporters:
        outbox.queue(store, session, case.code, reporter, notice)


def require_case(cases: Mapping[str, Case], code: str) -> Case:
    """Return the case of this number. Raises UnknownCaseError."""
    if code not in cases:
        raise UnknownCaseError(f"there is no case {code}")
    return cases[code]


def require_link(link: str) -> None:
    """Raise CaseInputError if the address of an advisory is not a plain https page."""
    if POLICY.fullmatch(link) is None:
        raise CaseInputError(f"the address of an advisory {POLICY_HINT}")

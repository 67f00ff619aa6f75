"""The states of a case, as one table. The store, the commands, the pages and the diagram in docs/ all use it.

Rules:
1. A step that the table does not have is refused, and nothing is recorded.
2. A status update is owed while a case is open: in every state that is not in ENDED (SI 2023/1007 Schedule 1
   paragraph 2(2)(b)(ii): "status updates until the resolution of the reported security issues").
3. An ended case can be opened again, because a reporter may answer after its end.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from provisioning.disclosure import transitions


class State(StrEnum):
    """The state of a case."""

    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    TRIAGED = "triaged"
    CONFIRMED = "confirmed"
    REJECTED = "not confirmed"
    FIXED = "fixed"
    PUBLISHED = "published"
    CLOSED = "closed"
    MERGED = "merged"
    DISCARDED = "discarded"


class Step(StrEnum):
    """A decision that moves a case from one state to another. The signed log names the person who decided."""

    ACKNOWLEDGE = "acknowledge"
    TRIAGE = "triage"
    CONFIRM = "confirm"
    REJECT = "reject"
    RESOLVE = "resolve"
    PUBLISH = "publish"
    CLOSE = "close"
    MERGE = "merge"
    DISCARD = "discard"
    REOPEN = "reopen"


ENDED: Final = frozenset({State.CLOSED, State.MERGED, State.DISCARDED})
_OPEN: Final = tuple(one for one in State if one not in ENDED)

TRANSITIONS: Final[dict[tuple[State, Step], State]] = {
    (State.RECEIVED, Step.ACKNOWLEDGE): State.ACKNOWLEDGED,
    # spam, a sales mail, a question: no report of a security issue, so nothing is owed
    (State.RECEIVED, Step.DISCARD): State.DISCARDED,
    (State.ACKNOWLEDGED, Step.DISCARD): State.DISCARDED,
    (State.ACKNOWLEDGED, Step.TRIAGE): State.TRIAGED,
    # a later look may change severity and scope without taking back what was decided
    (State.TRIAGED, Step.TRIAGE): State.TRIAGED,
    (State.CONFIRMED, Step.TRIAGE): State.CONFIRMED,
    (State.FIXED, Step.TRIAGE): State.FIXED,
    (State.TRIAGED, Step.CONFIRM): State.CONFIRMED,
    (State.REJECTED, Step.CONFIRM): State.CONFIRMED,
    (State.TRIAGED, Step.REJECT): State.REJECTED,
    (State.CONFIRMED, Step.REJECT): State.REJECTED,
    (State.CONFIRMED, Step.RESOLVE): State.FIXED,
    (State.FIXED, Step.PUBLISH): State.PUBLISHED,
    (
        State.CONFIRMED,
        Step.CLOSE,
    ): State.CLOSED,  # for instance a risk that is accepted; the reason is recorded
    (State.REJECTED, Step.CLOSE): State.CLOSED,
    (State.FIXED, Step.CLOSE): State.CLOSED,
    (State.PUBLISHED, Step.CLOSE): State.CLOSED,
    **{(state, Step.MERGE): State.MERGED for state in _OPEN},
    (State.CLOSED, Step.REOPEN): State.ACKNOWLEDGED,
    (State.DISCARDED, Step.REOPEN): State.RECEIVED,
}


def after(state: State, step: Step) -> State:
    """Return the state after `step`. Raises StateError (rule 1), which lists the possible steps."""
    return transitions.after(TRANSITIONS, state, step, "case")


def steps(state: State) -> tuple[Step, ...]:
    """Return the steps that the table has from `state`, in the order of Step."""
    return transitions.steps(TRANSITIONS, state, Step)


def is_open(state: State) -> bool:
    """Return whether status updates are owed (rule 2)."""
    return state not in ENDED

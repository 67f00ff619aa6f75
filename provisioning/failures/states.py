"""The states of an investigation, as one table. The store, the commands and the table in docs/ all use it.

Rules:
1. A step that the table does not have is refused, and nothing is recorded.
2. A batch stays stopped in every state but CLOSED (s. 11(2)(a) of the Act).
3. A failure that could not be remedied is never closed, so its batches never ship again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from provisioning.disclosure import transitions
from provisioning.registry import stops


class State(StrEnum):
    """The state of an investigation of a possible compliance failure."""

    OPEN = "open"
    FAILURE = "failure"
    NO_FAILURE = "no failure"
    REMEDIED = "remedied"
    NOT_REMEDIED = "not remedied"
    CLOSED = "closed"


class Step(StrEnum):
    """A decision that moves an investigation from one state to another. The signed log names who decided."""

    CONFIRM = "confirm"
    CLEAR = "clear"
    REMEDY = "remedy"
    GIVE_UP = "give-up"
    CLOSE = "close"
    REOPEN = "reopen"


TRANSITIONS: Final[dict[tuple[State, Step], State]] = {
    (State.OPEN, Step.CONFIRM): State.FAILURE,
    (State.OPEN, Step.CLEAR): State.NO_FAILURE,
    # new evidence against an earlier result
    (State.NO_FAILURE, Step.CONFIRM): State.FAILURE,
    (State.FAILURE, Step.CLEAR): State.NO_FAILURE,
    (State.FAILURE, Step.REMEDY): State.REMEDIED,
    (State.FAILURE, Step.GIVE_UP): State.NOT_REMEDIED,
    # the remedy failed, or a new one is found
    (State.REMEDIED, Step.REOPEN): State.FAILURE,
    (State.NOT_REMEDIED, Step.REOPEN): State.FAILURE,
    (State.NO_FAILURE, Step.CLOSE): State.CLOSED,
    (State.REMEDIED, Step.CLOSE): State.CLOSED,
    (State.CLOSED, Step.REOPEN): State.OPEN,
}

_STOPS: Final[dict[State, str | None]] = {
    State.OPEN: stops.INVESTIGATED,
    State.FAILURE: stops.STOPPED,
    State.NO_FAILURE: stops.INVESTIGATED,
    State.REMEDIED: stops.STOPPED,
    State.NOT_REMEDIED: stops.STOPPED,
    State.CLOSED: None,
}


def after(state: State, step: Step) -> State:
    """Return the state after `step`. Raises StateError (rule 1), which lists the possible steps."""
    return transitions.after(TRANSITIONS, state, step, "investigation")


def steps(state: State) -> tuple[Step, ...]:
    """Return the steps that the table has from `state`, in the order of Step."""
    return transitions.steps(TRANSITIONS, state, Step)


def stop_of(state: State, *, is_recalled: bool) -> str | None:
    """Return the state of the stops of an investigation (registry/stops.py); None: its batches may ship."""
    found = _STOPS[state]
    return stops.RECALLED if is_recalled and found is not None else found

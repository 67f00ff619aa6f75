"""A table of states as code: {(state, step): the state after it}. Cases and investigations each have one.

Rule: a step that the table does not have is refused, and nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from provisioning.disclosure.errors import StateError

State = TypeVar("State", bound=StrEnum)
Step = TypeVar("Step", bound=StrEnum)


def after(table: Mapping[tuple[State, Step], State], state: State, step: Step, what: str) -> State:
    """Return the state after `step`. `what` has the state, such as "case".

    Raises StateError, which lists the possible steps.
    """
    found = table.get((state, step))
    if found is None:
        possible = ", ".join(steps(table, state, type(step))) or "nothing"
        raise StateError(f"the {what} is {state}, so it cannot {step}; possible: {possible}")
    return found


def steps(table: Mapping[tuple[State, Step], State], state: State, kind: type[Step]) -> tuple[Step, ...]:
    """Return the steps that the table has from `state`, in the order of `kind`."""
    return tuple(step for step in kind if (state, step) in table)

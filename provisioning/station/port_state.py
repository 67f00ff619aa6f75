"""The states of one port of a station, as a table of states and events.

Nothing else decides a state; the worker (provisioning/station/worker.py) only sends events, with one exception: if a
late answer disproves a SILENT, the port shows its earlier state again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class PortState(StrEnum):
    """The state that a port shows."""

    ABSENT = "absent"  # the port itself does not exist
    EMPTY = "empty"  # the port exists, no board answers
    READY = "ready"  # a board answers and waits for its scan, or for its turn
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    REFUSED = "refused"  # the unit has passed already; nothing was changed
    STOPPED = "stopped"  # the line is stopped


class PortEvent(StrEnum):
    """An event at a port."""

    FOUND = "found"  # the port could be opened
    LOST = "lost"  # the port disappeared or failed
    ANSWERED = "answered"  # a new board answers
    SILENT = "silent"  # the board no longer answers
    STARTED = "started"
    PASSED = "passed"
    FAILED = "failed"
    REFUSED = "refused"
    RETRIED = "retried"  # a person wants the same board to run again
    STOPPED = "stopped"


_S, _E = PortState, PortEvent

TRANSITIONS: Final[dict[tuple[PortState, PortEvent], PortState]] = {
    (_S.STOPPED, _E.FOUND): _S.EMPTY,
    (_S.STOPPED, _E.LOST): _S.ABSENT,
    (_S.ABSENT, _E.FOUND): _S.EMPTY,
    (_S.ABSENT, _E.LOST): _S.ABSENT,
    (_S.EMPTY, _E.FOUND): _S.EMPTY,
    (_S.EMPTY, _E.ANSWERED): _S.READY,
    (_S.EMPTY, _E.LOST): _S.ABSENT,
    (_S.READY, _E.STARTED): _S.RUNNING,
    (_S.READY, _E.SILENT): _S.EMPTY,
    (_S.READY, _E.LOST): _S.ABSENT,
    (_S.READY, _E.ANSWERED): _S.READY,
    (_S.RUNNING, _E.PASSED): _S.PASSED,
    (_S.RUNNING, _E.FAILED): _S.FAILED,
    (_S.RUNNING, _E.REFUSED): _S.REFUSED,
    **{(state, _E.SILENT): _S.EMPTY for state in (_S.PASSED, _S.FAILED, _S.REFUSED)},
    **{(state, _E.LOST): _S.ABSENT for state in (_S.PASSED, _S.FAILED, _S.REFUSED)},
    **{(state, _E.ANSWERED): _S.READY for state in (_S.PASSED, _S.FAILED, _S.REFUSED)},
    (_S.FAILED, _E.RETRIED): _S.READY,
    **{(state, _E.STOPPED): _S.STOPPED for state in _S},
}


def step(state: PortState, event: PortEvent) -> PortState:
    """Return the state after `event`. An event that the table does not list changes nothing."""
    return TRANSITIONS.get((state, event), state)

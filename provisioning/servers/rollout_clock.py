"""The time by which a rollout is decided: the system clock, compared with a clock that nobody can set.

Rules:
1. Each stage keeps the moment of its beginning on both clocks. If they disagree later, the system clock jumped.
2. After a jump nothing is decided: a stage would end before its time, or units would seem silent. The rollout goes on
   when the clock is right again, or when a person confirms the time by a pause and a resume.
3. A restart of the machine starts the steady clock again. Then only a clock before the beginning of the stage is found.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from provisioning.servers.rollout import State
from provisioning.servers.signing_clock import boot_id, steady_s, system_time_s

JUMP_S: Final = 300  # far above a leap second, far below a stage
DRIFT: Final = 0.001  # a slewed clock drifts at most half of this (adjtimex(2))


class Moment(NamedTuple):
    """One moment on both clocks: unix seconds, and seconds since the start `boot` of the machine."""

    now_s: int
    steady_s: float = 0.0
    boot: str = ""  # empty: the machine has no steady clock that is known here


def moment() -> Moment:
    """Return this moment."""
    boot = boot_id()
    return Moment(system_time_s(), steady_s() if boot else 0.0, boot)


def begun(state: State, now: Moment) -> State:
    """Return `state`, whose stage begins now."""
    return replace(state, since_s=now.now_s, steady_s=now.steady_s, boot=now.boot)


def doubt(state: State, now: Moment) -> str:
    """Return why nothing may be decided by this time (rule 2), for a person; empty if the clock is right."""
    elapsed_s = now.now_s - state.since_s
    steady = now.steady_s - state.steady_s if now.boot and now.boot == state.boot else None
    if steady is not None and abs(elapsed_s - steady) > JUMP_S + DRIFT * steady:
        what = f"jumped by {elapsed_s - steady:+.0f} s since this stage began"
    elif elapsed_s < -JUMP_S:
        what = f"is {-elapsed_s} s before the beginning of this stage"
    else:
        return ""
    return (
        f"the clock of this machine {what}, so nothing is decided. Correct it; if it is right now, confirm that with"
        " `firstboot rollout pause` and `firstboot rollout resume`"
    )

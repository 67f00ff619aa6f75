"""A rollout: which share of the fleet may install a release, decided from what units report.

Rules:
1. A rollout has stages; each is a share of the fleet (of limits.ROLLOUT_SHARES) and the least time that it lasts. The
   share is signed into every freshness record, so no broker can skip a stage (device/update/rollout.py).
2. A unit *began* if it reported that it restarts into the release. Each one that began is then *confirmed* (it reported
   the release as running), *failed* (it reported its own verdict about it) or *silent* (nothing was heard of it for
   `silence_s`), or still on its way.
3. Reports are claims of units, so single ones count little: the rollout pauses only if at least `least` units failed or
   fell silent, and they are more than the limit of those whose fate is known.
4. A report counts if it is about the release, or from a unit that began. So units of another product class, whose
   reports the same tracker keeps, change nothing.
5. The next stage begins if the present one lasted its time and at least `least` units confirmed; it never begins in a
   pause. The last stage ends the rollout.
6. A pause sets the share to 0: no further unit begins. Units install a release that they were held back from for 72
   hours of running time in any case, so a pause is the time to withdraw the release or to publish a better one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from device.errors import KnownBadError
from device.limits import ROLLOUT_KEY_BYTES, ROLLOUT_SHARES
from device.records.freshness import Rollout as Record
from provisioning.counted import counted
from provisioning.servers.errors import ServerError

RUNNING: Final = "running"
PAUSED: Final = "paused"
ENDED: Final = "ended"
STATES: Final = (RUNNING, PAUSED, ENDED)
MAX_STAGES: Final = 20
# The fates of a unit (rule 2).
STARTED: Final = "began"
CONFIRMED: Final = "confirmed"
FAILED: Final = "failed"
SILENT: Final = "silent"


class RolloutError(ServerError):
    """A rollout cannot be read, or its state does not allow what was asked."""


@dataclass(frozen=True)
class Stage:
    """`share` of limits.ROLLOUT_SHARES units, for at least `least_s` seconds."""

    share: int
    least_s: int


@dataclass(frozen=True)
class Limits:
    """When a rollout pauses by itself (rule 3). Shares are numbers from 0 to 1."""

    failed: float = 0.01
    silent: float = 0.05
    silence_s: int = 6 * 3600
    least: int = 5


@dataclass(frozen=True)
class Plan:
    """A release, by its number and the digest of its manifest, and the stages of its rollout."""

    sequence: int
    digest: bytes
    key: bytes
    stages: tuple[Stage, ...]
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        shares = [stage.share for stage in self.stages]
        numbers = [self.sequence, self.limits.silence_s, self.limits.least]
        numbers += shares + [stage.least_s for stage in self.stages]
        if any(type(number) is not int for number in numbers):
            raise RolloutError("a number of a rollout is not whole")
        if not 0 < len(shares) <= MAX_STAGES or shares != sorted(set(shares)):
            raise RolloutError("a rollout has 1 to 20 stages, each with a larger share than the one before")
        if shares[0] < 1 or shares[-1] != ROLLOUT_SHARES or any(one.least_s < 0 for one in self.stages):
            raise RolloutError("the first share must be above 0, and the last stage must be the whole fleet")
        if self.sequence < 1 or len(self.key) != ROLLOUT_KEY_BYTES:
            raise RolloutError("a rollout has a release number above 0 and a key of 16 bytes")
        if not (0 <= self.limits.failed <= 1 and 0 <= self.limits.silent <= 1 and self.limits.least >= 1):
            raise RolloutError("a limit of a rollout is out of range")


def new_key() -> bytes:
    """Return the key of a new rollout: which units come first differs from release to release."""
    return secrets.token_bytes(ROLLOUT_KEY_BYTES)


@dataclass(frozen=True)
class State:
    """Where a rollout is. `stage`: index of the present stage, since `since_s` (unix s); `reason`: of a pause.

    `steady_s`, `boot`: the beginning of the stage on a clock that nobody can set (rollout_clock.py).
    """

    state: str
    stage: int
    since_s: int
    reason: str = ""
    steady_s: float = 0.0
    boot: str = ""


@dataclass
class Counts:
    """The units that the rollout knows of, each with its last report (unix s) and its fate so far."""

    began: dict[str, int] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    def silent(self, now_s: int, silence_s: int) -> set[str]:
        """Return the units that began and were not heard of for `silence_s`."""
        known = self.confirmed | self.failed
        return {
            unit for unit, heard_s in self.began.items() if unit not in known and now_s - heard_s >= silence_s
        }


class Rollout:
    """One rollout. `note` takes reports, `advance` decides; both take the time in unix seconds."""

    def __init__(self, plan: Plan, state: State) -> None:
        self.plan = plan
        self.state = state
        self.counts = Counts()

    @classmethod
    def begin(cls, plan: Plan, now_s: int) -> Rollout:
        """Return a rollout in its first stage."""
        return cls(plan, State(RUNNING, 0, now_s))

    def record(self) -> Record | None:
        """Return what the tracker signs, None after the end."""
        if self.state.state == ENDED:
            return None
        share = 0 if self.state.state == PAUSED else self.plan.stages[self.state.stage].share
        return Record(self.plan.sequence, self.plan.key, share)

    def note(
        self, unit: str, now_s: int, *, sequence: int, error: int, is_restarting: bool, digest: bytes
    ) -> None:
        """Take a report: the running release, the last error, and the digest of the manifest that it is about."""
        counts = self.counts
        if digest != self.plan.digest and unit not in counts.began:
            return
        if sequence >= self.plan.sequence:
            counts.confirmed.add(unit)
            counts.failed.discard(unit)
        elif digest == self.plan.digest and error == KnownBadError.code:
            counts.failed.add(unit)
        elif is_restarting or unit in counts.began:
            counts.began[unit] = now_s

    def rates(self, now_s: int) -> dict[str, tuple[int, float]]:
        """Return number and share of the failed and of the silent units, of those whose fate is known."""
        silent = self.counts.silent(now_s, self.plan.limits.silence_s)
        known = max(1, len(self.counts.confirmed | self.counts.failed | silent))
        return {
            FAILED: (len(self.counts.failed), len(self.counts.failed) / known),
            SILENT: (len(silent), len(silent) / known),
        }

    def advance(self, now_s: int) -> bool:
        """Pause, or begin the next stage, if it is time. Returns whether the state changed."""
        if self.state.state != RUNNING:
            return False
        limits = self.plan.limits
        for name, (count, share) in self.rates(now_s).items():
            if count >= limits.least and share > getattr(limits, name):
                self.state = replace(
                    self.state, state=PAUSED, reason=f"{counted(count, 'unit')} {name}, {share:.1%}"
                )
                return True
        stage = self.plan.stages[self.state.stage]
        if now_s - self.state.since_s < stage.least_s or len(self.counts.confirmed) < limits.least:
            return False
        if self.state.stage + 1 == len(self.plan.stages):
            self.state = State(ENDED, self.state.stage, now_s)
        else:
            self.state = State(RUNNING, self.state.stage + 1, now_s)
        return True

    def pause(self, reason: str) -> None:
        """Let no further unit begin. Raises RolloutError unless it is running."""
        self._require(RUNNING)
        self.state = replace(self.state, state=PAUSED, reason=reason)

    def resume(self, now_s: int) -> None:
        """Go on in the same stage; what failed until now does not pause it again. Raises RolloutError."""
        self._require(PAUSED)
        self.counts = Counts(confirmed=set(self.counts.confirmed))
        self.state = State(RUNNING, self.state.stage, now_s)

    def end(self, now_s: int) -> None:
        """End it: every unit may install the release. Raises RolloutError if it has ended."""
        self._require(RUNNING, PAUSED)
        self.state = State(ENDED, self.state.stage, now_s)

    def _require(self, *states: str) -> None:
        if self.state.state not in states:
            raise RolloutError(f"the rollout of release {self.plan.sequence} is {self.state.state}")

    def stage_text(self) -> str:
        """Return where the rollout is, for a person."""
        if self.state.state == ENDED:
            return "ended: every unit may install the release"
        if self.state.state == PAUSED:
            return f"paused: {self.state.reason}"
        percent = 100 * self.plan.stages[self.state.stage].share / ROLLOUT_SHARES
        return f"stage {self.state.stage + 1} of {len(self.plan.stages)}: {percent:g} % of the fleet"

    # as text ---------------------------------------------------------------------------------------------------
    def document(self, now_s: int) -> dict[str, Any]:
        """Return the rollout for a person or a program."""
        share = self.record()
        return {
            "release": self.plan.sequence,
            "state": self.state.state,
            "text": self.stage_text(),
            "stage": self.state.stage + 1,
            "stages": len(self.plan.stages),
            "share": 1.0 if share is None else share.share / ROLLOUT_SHARES,
            "since_s": self.state.since_s,
            "reason": self.state.reason,
            "began": len(self.counts.began),
            "confirmed": len(self.counts.confirmed),
            **{name: count for name, (count, _) in self.rates(now_s).items()},
        }

    def to_json(self) -> str:
        """Return plan and state as JSON; the counts are taken from reports again."""
        plan = asdict(self.plan) | {"digest": self.plan.digest.hex(), "key": self.plan.key.hex()}
        return json.dumps({"plan": plan, "state": asdict(self.state)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Rollout:
        """Return a rollout that to_json wrote. Raises RolloutError."""
        try:
            found: Mapping[str, Any] = json.loads(text)
            plan, state = dict(found["plan"]), State(**found["state"])
            plan["digest"], plan["key"] = bytes.fromhex(plan["digest"]), bytes.fromhex(plan["key"])
            plan["stages"] = tuple(Stage(**stage) for stage in plan["stages"])
            plan["limits"] = Limits(**plan["limits"])
            made = Plan(**plan)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RolloutError(f"this is not a rollout: {type(error).__name__}") from None
        is_whole = (
            type(state.stage) is int and type(state.since_s) is int and type(state.steady_s) in (int, float)
        )
        is_whole = is_whole and isinstance(state.reason, str) and isinstance(state.boot, str)
        if state.state not in STATES or not is_whole or not 0 <= state.stage < len(made.stages):
            raise RolloutError("this is not a rollout: state")
        return cls(made, state)

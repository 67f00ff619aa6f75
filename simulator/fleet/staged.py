"""The rollout of a scenario: the maker's own controller (provisioning/servers/rollout.py) takes the fleet's reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from device.limits import ROLLOUT_SHARES
from device.records.freshness import Rollout as Record
from provisioning.servers.rollout import RUNNING, Limits, Plan, Rollout, Stage, State
from simulator.fleet import chance
from simulator.fleet.base import Base
from simulator.fleet.outcome import read_report
from simulator.fleet.plan import Event
from simulator.fleet.scenario import Scenario


class StagedRollout:
    """The rollout of a run. `record` is what the tracker signs in the next window, None without a rollout."""

    def __init__(self, scenario: Scenario, base: Base) -> None:
        self._rollout: Rollout | None = None
        self._history: list[dict[str, Any]] = []
        staged = scenario.rollout
        if staged is None:
            return
        digest = next(one for one, number in base.numbers.items() if number == staged.release)
        key = chance.key(scenario.seed, "rollout")
        stages = tuple(
            Stage(max(1, round(share * ROLLOUT_SHARES)), least_s) for share, least_s in staged.stages
        )
        limits = Limits(staged.failed, staged.silent, staged.silence_s, staged.least)
        at_s = next(one.at_s for one in scenario.releases if one.number == staged.release)
        self._rollout = Rollout(Plan(staged.release, digest, key, stages, limits), State(RUNNING, 0, at_s))
        self._note(0)

    @property
    def record(self) -> Record | None:
        """The rollout that the tracker signs now."""
        return None if self._rollout is None else self._rollout.record()

    def take(self, events: Iterable[Event], now_s: int) -> None:
        """Take the reports of a window that ended at `now_s`, and decide."""
        rollout = self._rollout
        if rollout is None:
            return
        for event in events:
            if event.text.startswith("report: "):
                found = read_report(event.text)
                rollout.note(
                    str(event.unit),
                    event.time_us // 1_000_000,
                    sequence=found.release,
                    error=found.error,
                    is_restarting=found.is_restarting,
                    digest=rollout.plan.digest if found.about == rollout.plan.sequence else b"",
                )
        if rollout.advance(now_s):
            self._note(now_s)

    def _note(self, now_s: int) -> None:
        if self._rollout is not None:
            self._history.append({"time_s": now_s, **self._rollout.document(now_s)})

    def document(self, now_s: int) -> dict[str, Any] | None:
        """Return the rollout at the end of the run with its changes, None without one."""
        if self._rollout is None:
            return None
        return {**self._rollout.document(now_s), "changes": self._history}

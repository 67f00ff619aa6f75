"""Run a scenario: shards in processes, one window of time after the other, one log.

A unit's life depends on its own chance and on what the maker published, never on another unit. Only a rollout depends
on all units: it is decided between two windows. So the log is the same for any number of processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Any, Final

from device.records.freshness import Rollout as Record
from simulator.fleet import base as bases
from simulator.fleet.outcome import Outcome
from simulator.fleet.plan import Event
from simulator.fleet.scenario import Scenario
from simulator.fleet.shard_process import ShardProcess, started
from simulator.fleet.staged import StagedRollout

WINDOW_S: Final = 900
MIB: Final = 1 << 20


@dataclass(frozen=True)
class Run:
    """A run that has ended. `cost` differs from machine to machine, `outcome` does not."""

    scenario: Scenario
    outcome: Outcome
    rollout: dict[str, Any] | None
    workers: int
    wall_s: float
    cpu_s: float
    memory_bytes: int

    def cost(self) -> dict[str, Any]:
        """Return what the run took. A core carries `units_per_core` units in real time."""
        unit_s = self.scenario.units * self.scenario.end_s
        return {
            "workers": self.workers,
            "wall_s": round(self.wall_s, 1),
            "processor_s": round(self.cpu_s, 1),
            "processor_ms_per_unit_day": round(self.cpu_s * 1000 * 86_400 / unit_s, 2),
            "units_per_core": round(unit_s / max(self.cpu_s, 1e-9)),
            "bytes_per_unit": round(self.memory_bytes / self.scenario.units),
        }


def run(
    scenario: Scenario,
    *,
    workers: int = 1,
    is_remembered: bool = True,
    folder: Path | None = None,
    on_events: Callable[[list[Event]], None] = lambda events: None,
    on_window: Callable[[float], None] = lambda end_s: None,
) -> Run:
    """Run a scenario to its end. `on_events` gets the log, window by window. Raises FleetError.

    `is_remembered`: compute equal checks once and skip ticks that count nothing; the outcome is the same.
    """
    base = bases.make(folder)
    workers = min(workers, scenario.units)
    outcome, rollout = Outcome(scenario), StagedRollout(scenario, base)
    began_s = time.monotonic()
    with started(scenario, base, workers, is_remembered=is_remembered) as shards:
        end_s = 0
        while end_s < scenario.end_s:
            end_s = min(end_s + WINDOW_S, scenario.end_s)
            events = _window(shards, end_s, rollout.record)
            outcome.add(events)
            rollout.take(events, end_s)
            on_events(events)
            on_window(end_s)
        wall_s = time.monotonic() - began_s
        cpu_s = sum(shard.cost.cpu_s for shard in shards)
        memory = sum(shard.cost.memory_bytes for shard in shards)
    return Run(scenario, outcome, rollout.document(scenario.end_s), workers, wall_s, cpu_s, memory)


def _window(shards: list[ShardProcess], end_s: float, rollout: Record | None) -> list[Event]:
    """Let all shards run to `end_s`; return their events in the order of the log."""
    for shard in shards:
        shard.ask(end_s, rollout)
    return list(merge(*[shard.answer() for shard in shards]))

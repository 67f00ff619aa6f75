"""A part of a fleet in one process: its units on one kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from device.records.freshness import Rollout
from provisioning.keys.signer import Signer
from provisioning.servers.tracker import Newest, Tracker
from simulator.fleet import unit as units
from simulator.fleet.base import Base, shared_records
from simulator.fleet.kernel import FOREVER, Kernel, in_place_of_asyncio
from simulator.fleet.plan import Event, UnitPlan
from simulator.fleet.remember import TrackerKey, remembering
from simulator.fleet.scenario import Scenario
from simulator.fleet.servers import Clock, Maker, newest_of
from simulator.fleet.silence import few_ticks
from simulator.fleet.unit import FleetUnit


def make_maker(
    scenario: Scenario, base: Base, clock: Clock, signer: Signer, newest: dict[bytes, Newest]
) -> Maker:
    """Return the maker's servers on one clock. `newest`: the numbers that its tracker signs."""
    tracker = Tracker(signer, newest, now=lambda: base.epoch_s + int(clock.now))
    return Maker(scenario, base.class_id, tracker, base.objects, clock)


class Shard:
    """The units `numbers` of a scenario. `run_until(t)` returns the events before t, in their order.

    `is_remembered`: compute the same signature check once, and let every unit skip the ticks that count nothing.
    """

    def __init__(
        self, scenario: Scenario, base: Base, numbers: Sequence[int], *, is_remembered: bool = True
    ) -> None:
        self.kernel = Kernel()
        self._is_remembered = is_remembered
        self._tracker_key = TrackerKey(base.bench.ring.signer("tracker"))
        signer: Signer = self._tracker_key if is_remembered else self._tracker_key.real
        self._events: list[Event] = []
        self._base = base
        self._newest = newest_of(base.class_id)
        records = shared_records(base, scenario)
        maker = make_maker(scenario, base, self.kernel, signer, self._newest)
        self.units = [
            FleetUnit(self.kernel, maker, base, records, UnitPlan(scenario, number), self._events.append)
            for number in numbers
        ]

    @contextmanager
    def opened(self) -> Iterator[Shard]:
        """Let device code run on this shard's kernel."""
        with ExitStack() as stack:
            stack.enter_context(in_place_of_asyncio(self.kernel))
            stack.enter_context(units.quiet(lambda: self.kernel.until(FOREVER, self.kernel.Event())))
            if self._is_remembered:
                stack.enter_context(remembering(self._tracker_key))
                stack.enter_context(few_ticks(self.kernel))
            yield self

    def run_until(self, end_s: float, rollout: Rollout | None = None) -> list[Event]:
        """Run to the true time `end_s`; until then the tracker signs `rollout`. Call it inside `opened`."""
        self._newest[self._base.class_id].rollout = rollout
        self.kernel.run_until(end_s)
        found = sorted(self._events)
        self._events.clear()
        return found

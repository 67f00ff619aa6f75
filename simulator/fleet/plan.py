"""The decisions of chance about each unit of a scenario, and the lines of the event log."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from simulator.fleet import chance
from simulator.fleet.scenario import DAY_S, Region, Scenario
from simulator.ports.flash import AFTER, BEFORE, TORN

_MAX_OPERATION = 12  # an install of the simulator's images takes about 15 flash operations in the slot


@dataclass(frozen=True, slots=True)
class SlotCut:
    """A power cut at a flash operation of an install: the n-th one in the slots (1 is the first), and when."""

    operation: int
    when: str


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """One unit: its number, and everything that follows from it and from the scenario."""

    scenario: Scenario
    number: int

    def _name(self, *what: object) -> tuple[object, ...]:
        return (self.scenario.seed, self.number, *what)

    @property
    def device_id(self) -> bytes:
        """The unit's id, 16 bytes."""
        return sha256(b"fleet/%d/%d" % (self.scenario.seed, self.number)).digest()[:16]

    @property
    def region(self) -> Region:
        """The region that the unit is in."""
        left = chance.number(*self._name("region"))
        for region in self.scenario.regions:
            left -= region.share
            if left < 0:
                return region
        return self.scenario.regions[-1]

    @property
    def rate(self) -> float:
        """Seconds of the unit's clock in a true second."""
        if not self.scenario.drift_ppm:
            return 1.0
        return 1 + self.scenario.drift_ppm * 1e-6 * chance.normal(*self._name("drift"))

    @property
    def power_on_s(self) -> float:
        """When the unit is powered on for the first time."""
        return chance.number(*self._name("on")) * self.scenario.power_on_s

    @property
    def is_automatic(self) -> bool:
        """The owner left automatic updates on."""
        return not chance.happens(self.scenario.updates_off, *self._name("owner"))

    def next_cut_s(self, number: int, after_s: float) -> float | None:
        """Return when the unit loses power for the `number`-th time, None if it never does."""
        a_day = self.scenario.power.cuts_per_day
        return after_s + chance.exponential(DAY_S / a_day, *self._name("cut", number)) if a_day else None

    def hangs(self, release: int) -> bool:
        """Return whether the trial of a release hangs on this unit."""
        for one in self.scenario.releases:
            if one.number == release:
                return chance.happens(one.hangs, *self._name("hangs", release))
        return False

    def slot_cut(self, release: int) -> SlotCut | None:
        """Return the power cut in the first install of a release, or None."""
        if not chance.happens(self.scenario.power.in_install, *self._name("install", release)):
            return None
        operation = 1 + int(chance.number(*self._name("operation", release)) * _MAX_OPERATION)
        when = (BEFORE, TORN, AFTER)[int(chance.number(*self._name("when", release)) * 3)]
        return SlotCut(operation, when)

    def entropy(self, start: int) -> bytes:
        """Return the seed of the unit's entropy at its start number `start`."""
        return b"fleet/%d/%d/%d" % (self.scenario.seed, self.number, start)


class Event(NamedTuple):
    """One line of the log: `time_us` since the beginning, the unit, its own count of events, what happened."""

    time_us: int
    unit: int
    order: int
    text: str

    def line(self) -> str:
        """Return the line as the log has it."""
        return f"{self.time_us / 1e6:.3f} {self.unit} {self.text}\n"

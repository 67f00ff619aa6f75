"""The maker's servers as one unit meets them: its broker, honest or hostile, and the tracker.

The broker is simulator.ports.peers.MemoryBroker, the tracker is the one that makers run. What a broker serves depends
on the time and on the unit's region only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from provisioning.release.release import Release
from provisioning.servers.tracker import Newest, Tracker
from simulator.fleet import scenario as made
from simulator.fleet.plan import UnitPlan
from simulator.fleet.scenario import Published, Scenario
from simulator.ports.peers import Content

Objects = Mapping[str, bytes]  # by topic below the class


class Clock(Protocol):
    """The true time."""

    @property
    def now(self) -> float:
        """Seconds since the beginning of the run."""


def objects_of(class_id: bytes, release: Release) -> dict[str, bytes]:
    """Return what a maker publishes of a release, by topic below the class."""
    content = Content(class_id, lambda request: None)
    content.put_release(release)
    return content.published


def _changed(data: bytes) -> bytes:
    """Return `data` with one bit of its middle byte changed."""
    at = len(data) // 2
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


@dataclass
class Maker:
    """The things that all units share: the published releases and the tracker."""

    scenario: Scenario
    class_id: bytes
    tracker: Tracker
    objects: Mapping[int, Objects]  # by release number
    clock: Clock

    def published(self) -> list[Published]:
        """Return the releases that are published now, oldest first."""
        return [one for one in self.scenario.releases if one.at_s <= self.clock.now]

    def freshness(self, request: bytes) -> bytes:
        """Return the tracker's answer. Raises FreshnessError for a request that is damaged."""
        newest = self.tracker.classes[self.class_id]
        published = self.published()
        if published:
            newest.raise_to(manifest=published[-1].number)
        return self.tracker.answer(request)

    def freshness_for(self, plan: UnitPlan, request: bytes) -> bytes | None:
        """Return the tracker's answer to a unit, None if its broker does not pass it on."""
        return None if self.attack(plan.region.name) == made.MUTE else self.freshness(request)

    def release_of(self, name: str) -> int:
        """Return the number of the published release that an object belongs to, 0 if it belongs to none."""
        if not name.startswith("o/"):
            return 0
        return next((one.number for one in self.published() if name in self.objects[one.number]), 0)

    def attack(self, region: str) -> str:
        """Return what the broker of a region does wrong now, "" if nothing."""
        for span in self.scenario.attacks:
            if span.covers(region, self.clock.now):
                return span.does
        return ""


class Offer(Mapping[str, bytes]):
    """The objects that the broker of one region offers at this moment, by topic below the class."""

    def __init__(self, maker: Maker, region: str, on_asked: Callable[[str], None]) -> None:
        self._maker = maker
        self._region = region
        self._on_asked = on_asked

    def __getitem__(self, name: str) -> bytes:
        """Return an object. Raises KeyError if the broker does not have it, or keeps it back."""
        self._on_asked(name)
        attack = self._maker.attack(self._region)
        published = self._maker.published()
        if name == "manifest":
            if attack == made.REPLAY:
                published = published[:-1]
            if not published or attack == made.WITHHOLD:
                raise KeyError(name)
            envelope = self._maker.objects[published[-1].number][name]
            return _changed(envelope) if attack == made.TAMPER else envelope
        for one in published:
            data = self._maker.objects[one.number].get(name)
            if data is not None:
                return _changed(data) if attack == made.TAMPER_CHUNKS else data
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all published objects."""
        for one in self._maker.published():
            yield from self._maker.objects[one.number]

    def __len__(self) -> int:
        return sum(1 for _ in self)


def newest_of(class_id: bytes) -> dict[bytes, Newest]:
    """Return the tracker's numbers before anything is published."""
    return {class_id: Newest()}

"""Everything outside a unit of a campaign: the facts it reported, the published objects, whether servers answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from device.suit import envelope, manifest
from simulator.ports.peers import Content
from simulator.powercut.bench import Bench


class Fact(NamedTuple):
    """A fact about the unit that was known outside of it after `operations` flash operations."""

    operations: int
    what: str
    value: object


@dataclass
class World:
    """Everything outside the unit. It survives the unit's power cuts."""

    bench: Bench
    history: list[Fact] = field(default_factory=list)
    numbers: dict[int, bytes] = field(
        default_factory=dict
    )  # by OSCORE sender number: the digest of what it protected
    nonces: set[bytes] = field(default_factory=set)  # of freshness requests
    reused: list[str] = field(default_factory=list)
    published: dict[str, bytes] = field(default_factory=dict)
    has_mqtt: bool = True
    has_coap: bool = True
    serves_trials: bool = True  # False: servers do not answer while an image is on trial
    starts: int = 0
    changed_from: int | None = None  # releases from this one on use another record format (releases.py)
    is_down: bool = False  # no server answers
    leaked: list[str] = field(default_factory=list)  # what a broker of a home learned and must not know

    def copy(self, operations: int | None = None) -> World:
        """Return this world as it was before flash operation number `operations` (None: as it is now)."""
        history = [item for item in self.history if operations is None or item.operations < operations]
        numbers = {item.value[0]: item.value[1] for item in history if item.what == "number"}  # type: ignore[index]
        nonces = {item.value for item in history if item.what == "nonce"}
        return World(
            self.bench,
            history,
            numbers,
            nonces,  # type: ignore[arg-type]
            [],
            dict(self.published),
            self.has_mqtt,
            self.has_coap,
            self.serves_trials,
            self.starts,
            self.changed_from,
        )

    def facts(self) -> dict[str, object]:
        """Return the last value of each fact, by name."""
        return {item.what: item.value for item in self.history}

    def publish(self, number: int) -> None:
        """Publish a release of the test rig to units."""
        content = Content(self.bench.product.class_id, lambda request: None)
        content.put_release(self.bench.releases[number])
        self.published.update(content.published)

    def published_number(self) -> int:
        """Return the number of the release that is published, or 0."""
        data = self.published.get("manifest")
        if data is None:
            return 0
        number: int = manifest.decode(envelope.decode(data).manifest).sequence_number
        return number

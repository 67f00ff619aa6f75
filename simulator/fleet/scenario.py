"""A scenario: what happens to a fleet, as a TOML file with a seed (docs/how-to/fleet.md).

Times are whole seconds since the beginning of the run. A `share` is a number from 0 to 1. `parse` returns the scenario
or raises ScenarioError with every problem of the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provisioning.product.document import Entries, Fields, read_document
from provisioning.product.fields import REQUIRED, Choice, Number, Text
from simulator.fleet.errors import ScenarioError

MAX_UNITS: Final = 1_000_000
MAX_HOURS: Final = 24 * 366
DAY_S: Final = 86_400
RELEASES: Final = (2, 5)  # the images of simulator/powercut/bench.py; release 1 runs at the beginning
WITHHOLD = "withhold"  # passes on the tracker's answers and leaves the release out
TAMPER = "tamper"  # changes a byte of the envelope
TAMPER_CHUNKS = "tamper-chunks"  # changes a byte of each object
REPLAY = "replay"  # serves the release before
MUTE = "mute"  # does not pass on the tracker's answers
ATTACKS: Final = (WITHHOLD, TAMPER, TAMPER_CHUNKS, REPLAY, MUTE)


@dataclass(frozen=True)
class Amount:
    """A number within limits, both included; whole or with a point."""

    low: float
    high: float
    default: Any = REQUIRED

    @property
    def hint(self) -> str:
        return f"must be a number from {self.low:g} to {self.high:g}"

    @property
    def blank(self) -> float:
        return self.low

    def accepts(self, value: Any) -> bool:
        return type(value) in (int, float) and self.low <= value <= self.high

    def made(self, value: Any) -> float:
        return float(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.low, "maximum": self.high}


_SHARE = Amount(0, 1, 0.0)
_TIME = Number(0, MAX_HOURS * 3600)
_ANY_REGION = Text(default="")
_SECTIONS: Final[Mapping[str, Fields | Entries]] = {
    "fleet": Fields(
        {
            "seed": Number(0, (1 << 63) - 1),
            "units": Number(1, MAX_UNITS),
            "hours": Number(1, MAX_HOURS),
            "check_interval_s": Number(30, 30 * DAY_S, 3600),
            "power_on_s": Number(0, DAY_S, 600),
            "drift_ppm": Amount(0, 10_000, 0.0),
            "updates_off": _SHARE,
        }
    ),
    "link": Fields(
        {
            "delay_ms": Number(0, 10_000, 0),
            "loss": Amount(0, 0.9, 0.0),
            "nat_timeout_s": Number(0, DAY_S, 0),
        },
        is_optional=True,
    ),
    "power": Fields(
        {
            "cuts_per_day": Amount(0, 1000, 0.0),
            "off_s": Number(1, 30 * DAY_S, 60),
            "in_install": _SHARE,
        },
        is_optional=True,
    ),
    "region": Entries(
        Fields({"name": Text(), "share": Amount(0, 1), "delay_ms": Number(0, 10_000, 0)}),
        1,
        100,
        is_optional=True,
    ),
    "release": Entries(
        Fields({"number": Number(*RELEASES), "at_s": _TIME, "hangs": _SHARE}), 0, 4, is_optional=True
    ),
    "rollout": Fields(
        {
            "release": Number(*RELEASES),
            "failed": Amount(0, 1, 0.01),
            "silent": Amount(0, 1, 0.05),
            "silence_s": Number(60, 30 * DAY_S, 6 * 3600),
            "least": Number(1, MAX_UNITS, 5),
        },
        is_optional=True,
    ),
    "stage": Entries(Fields({"share": Amount(0.0001, 1), "least_s": _TIME}), 0, 20, is_optional=True),
    "outage": Entries(
        Fields({"region": _ANY_REGION, "from_s": _TIME, "to_s": _TIME}), 0, 1000, is_optional=True
    ),
    "hostile": Entries(
        Fields({"region": _ANY_REGION, "from_s": _TIME, "to_s": _TIME, "does": Choice(ATTACKS)}),
        0,
        1000,
        is_optional=True,
    ),
}


@dataclass(frozen=True)
class Link:
    """Every link: one-way delay, share of lost segments, and the silence after which a NAT forgets a connection (0:
    never).
    """

    delay_ms: int = 0
    loss: float = 0.0
    nat_timeout_s: int = 0


@dataclass(frozen=True)
class Power:
    """Power cuts: how many a unit has in a day, how long it stays off, and the share of installs that are cut."""

    cuts_per_day: float = 0.0
    off_s: int = 60
    in_install: float = 0.0


@dataclass(frozen=True)
class Region:
    """A part of the fleet. `delay_ms` is added to that of the link."""

    name: str
    share: float
    delay_ms: int = 0


@dataclass(frozen=True)
class Published:
    """A release that is published at `at_s`. Its trial hangs on a share of the units."""

    number: int
    at_s: int
    hangs: float = 0.0


@dataclass(frozen=True)
class Staged:
    """The rollout of a release: the limits at which it pauses, and its stages (share, least time)."""

    release: int
    failed: float
    silent: float
    silence_s: int
    least: int
    stages: tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class Span:
    """An outage or an attack that a region meets from `from_s` to `to_s`, that moment not included.

    `region` "": every region. `does`: an attack of the broker, "" for an outage.
    """

    region: str
    from_s: int
    to_s: int
    does: str = ""

    def covers(self, region: str, now_s: float) -> bool:
        """Return whether a unit of `region` meets it at `now_s`."""
        return self.from_s <= now_s < self.to_s and self.region in ("", region)


@dataclass(frozen=True)
class Scenario:
    """All that happens to a fleet. Times in seconds since the beginning."""

    seed: int
    units: int
    hours: int
    check_interval_s: int = 3600
    power_on_s: int = 600
    drift_ppm: float = 0.0
    updates_off: float = 0.0
    link: Link = Link()
    power: Power = Power()
    regions: tuple[Region, ...] = (Region("all", 1.0),)
    releases: tuple[Published, ...] = ()
    outages: tuple[Span, ...] = ()
    attacks: tuple[Span, ...] = ()
    rollout: Staged | None = None

    @property
    def end_s(self) -> int:
        """The end of the run."""
        return self.hours * 3600


def read(path: Path) -> Scenario:
    """Return the scenario in a file. Raises ScenarioError, OSError."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise ScenarioError(["the file is not UTF-8"]) from None
    return parse(text)


def parse(text: str) -> Scenario:
    """Return the scenario in a text. Raises ScenarioError."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ScenarioError([f"this is not TOML: {error}"]) from None
    problems: list[str] = []
    found = read_document(_SECTIONS, document, problems)
    if not problems:
        problems += _contradictions(found)
    if problems:
        raise ScenarioError(problems)
    regions = tuple(Region(**one) for one in found["region"]) or (Region("all", 1.0),)
    return Scenario(
        **found["fleet"],
        link=Link(**(found["link"] or {})),
        power=Power(**(found["power"] or {})),
        regions=regions,
        releases=tuple(sorted((Published(**one) for one in found["release"]), key=lambda one: one.at_s)),
        outages=tuple(Span(**one) for one in found["outage"]),
        attacks=tuple(Span(**one) for one in found["hostile"]),
        rollout=_staged(found),
    )


def _staged(found: Mapping[str, Any]) -> Staged | None:
    if found["rollout"] is None:
        return None
    stages = tuple((one["share"], one["least_s"]) for one in found["stage"])
    return Staged(**found["rollout"], stages=stages)


def _contradictions(found: Mapping[str, Any]) -> list[str]:
    """Return what the single fields cannot show."""
    problems = []
    names = [one["name"] for one in found["region"]]
    if len(set(names)) != len(names):
        problems.append("[[region]] two regions have one name")
    if names and abs(sum(one["share"] for one in found["region"]) - 1) > 1e-6:
        problems.append("[[region]] the shares of all regions must add up to 1")
    for kind in ("outage", "hostile"):
        for number, span in enumerate(found[kind], 1):
            if span["to_s"] <= span["from_s"]:
                problems.append(f"[{kind} no. {number}] to_s must be after from_s")
            if span["region"] and span["region"] not in names:
                problems.append(f"[{kind} no. {number}] region is not one of the regions")
    problems += _rollout_contradictions(found)
    numbers = [one["number"] for one in sorted(found["release"], key=lambda one: one["at_s"])]
    if numbers != sorted(set(numbers)):
        problems.append("[[release]] a later release must have a higher number")
    return problems


def _rollout_contradictions(found: Mapping[str, Any]) -> list[str]:
    if found["rollout"] is None:
        return ["[[stage]] belongs to a [rollout]"] if found["stage"] else []
    problems = []
    if found["rollout"]["release"] not in [one["number"] for one in found["release"]]:
        problems.append("[rollout] release is not one of the releases")
    shares = [one["share"] for one in found["stage"]]
    if not shares or shares[-1] != 1 or shares != sorted(set(shares)):
        problems.append("[[stage]] each share must be larger than the one before, and the last must be 1")
    return problems

"""The result of a campaign: one outcome for each job, and the report over all of them.

A report depends on which jobs were run and not on their order, the processes or the machine. So the outcomes of
several shards, or of an interrupted run and its continuation, give the report of one run (journal.py). Only the times
differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from provisioning.counted import counted
from simulator.powercut import checks
from simulator.powercut.checks import Findings


class Finding(NamedTuple):
    """One finding: the flow, the seeds of the cuts ("17.4": a second cut), the cuts in words, what was found.

    `operation`: the operation that was cut last, in words. `place`: file and line of the device code that asked for it.
    """

    flow: str
    seed: str
    cut: str
    kind: str
    text: str
    operation: str = ""
    place: str = ""

    def __str__(self) -> str:
        return f"{self.cut}: {self.text}"


class Job(NamedTuple):
    """One state to continue from: the flow, the seed of one cut that leads there, and all such cuts in words."""

    flow: str
    seed: int
    cuts: tuple[str, ...]


@dataclass
class Outcome:
    """The result of one job. `points`, `torn`, `second`: the cuts, those inside an operation, those in a recovery."""

    flow: str
    seed: int
    points: int = 0
    torn: int = 0
    second: int = 0
    states: set[bytes] = field(default_factory=set)  # digests of the units that the cuts left
    findings: list[Finding] = field(default_factory=list)
    cpu_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as data for a journal."""
        states = b"".join(sorted(self.states)).hex()
        return {**vars(self), "states": states, "findings": [list(one) for one in self.findings]}

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Outcome:
        """Return the outcome in a journal's line. Raises KeyError, TypeError, ValueError."""
        raw = bytes.fromhex(data["states"])
        states = {raw[at : at + 8] for at in range(0, len(raw), 8)}
        findings = [Finding(*[str(part) for part in one]) for one in data["findings"]]
        return cls(**{**data, "states": states, "findings": findings})


@dataclass
class Report:
    """The figures of a campaign. Times are for information only."""

    flows: int = 0
    points: int = 0  # cuts
    torn: int = 0  # of these, cuts inside an operation
    second: int = 0  # of these, cuts in the recovery from a cut
    visited: set[tuple[str, bytes]] = field(default_factory=set)  # flow and digest of each unit after a cut
    more_states: int = 0  # units of a campaign that names no digests (on the board)
    cpu_s: float = 0.0
    seconds: float = 0.0  # wall time of all processes together
    findings: Findings = field(default_factory=Findings)
    details: list[Finding] = field(default_factory=list)

    @property
    def states(self) -> int:
        """Return the number of different units that the cuts left."""
        return len(self.visited) + self.more_states

    @property
    def is_clean(self) -> bool:
        """Return whether at least one cut was made and there was no finding."""
        return self.points > 0 and not self.findings.texts

    @property
    def rate(self) -> float:
        """Return the cuts per second, including the rest of each flow."""
        return self.points / self.seconds if self.seconds else 0.0

    def take(self, outcome: Outcome) -> None:
        """Add the outcome of one job. A finding counts once for every cut that leads to it."""
        self.points += outcome.points
        self.torn += outcome.torn
        self.second += outcome.second
        self.visited.update((outcome.flow, state) for state in outcome.states)
        self.cpu_s += outcome.cpu_s
        for finding in outcome.findings:
            self.findings.counts[finding.kind] += 1
            self.findings.texts.append(str(finding))
            self.details.append(finding)

    def add(self, other: Report) -> None:
        """Add the figures of another part of the campaign."""
        self.flows += other.flows
        self.points += other.points
        self.torn += other.torn
        self.second += other.second
        self.visited |= other.visited
        self.more_states += other.more_states
        self.cpu_s += other.cpu_s
        self.seconds += other.seconds
        self.findings.counts.update(other.findings.counts)
        self.findings.texts += other.findings.texts
        self.details += other.details

    def figures(self) -> str:
        """Return for a person how many cuts were made, and how many flash states they left."""
        cuts = f"{counted(self.points, 'cut')}, {self.torn} torn, {counted(self.second, 'second cut')}"
        return f"{cuts}, {counted(self.states, 'flash state')}"

    def line(self) -> str:
        """Return the last line of a campaign's output."""
        counts = " ".join(f"{kind}={self.findings.counts[kind]}" for kind in checks.KINDS)
        return f"powercut: flows={self.flows} points={self.points} {counts}"


def split_text(text: str) -> tuple[str, str]:
    """Return kind and text of one of the texts of Findings. "at the end of the flow: lost: ..." keeps its beginning."""
    head, _, rest = text.partition(": ")
    if head in checks.KINDS:
        return head, rest
    kind, _, rest = rest.partition(": ")
    return (kind, f"{rest} ({head})") if kind in checks.KINDS else (checks.BRICKED, text)

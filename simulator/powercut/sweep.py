"""Many cuts, in parallel: cuts that leave the same unit are one job, every job is run to its end, all are counted.

Two cuts leave the same unit when every byte of flash and everything that the unit had told the outside are the same:
cut after an operation and cut before the next one, most of the time. A unit is a function of those two, so such cuts
have one answer, which counts for each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import NamedTuple

from simulator.powercut import checks
from simulator.powercut.campaign import Campaign
from simulator.powercut.checks import Findings
from simulator.powercut.remember import remember_answers

SHARE = 8  # jobs handed to a worker at a time

RunOne = Callable[[Campaign, str, int], Findings]


class Job(NamedTuple):
    """One state to run on from: the flow, the seed of a cut that leads there, all such cuts in words."""

    flow: str
    seed: int
    places: tuple[str, ...]


class Result(NamedTuple):
    """What one job found, and the CPU time it took in seconds."""

    job: Job
    found: Findings
    cpu_s: float


@dataclass
class Report:
    """The figures of a campaign. Seconds are for people; nothing depends on them."""

    flows: int = 0
    points: int = 0  # cuts
    states: int = 0  # different units that they left
    cpu_s: float = 0.0
    seconds: float = 0.0  # by the clock, all processes together
    findings: Findings = field(default_factory=Findings)

    @property
    def is_clean(self) -> bool:
        """Whether there was something to cut and nothing was wrong."""
        return self.points > 0 and not self.findings.places

    @property
    def rate(self) -> float:
        """Cuts a second, going on to the flow's end included."""
        return self.points / self.seconds if self.seconds else 0.0

    def take(self, result: Result) -> None:
        """Count one job: a finding is one for every cut that leads to it."""
        self.points += len(result.job.places)
        self.states += 1
        self.cpu_s += result.cpu_s
        for place in result.job.places:
            self.findings.merge(result.found, place)

    def add(self, other: Report) -> None:
        """Take the figures of another part of the campaign."""
        self.flows += other.flows
        self.points += other.points
        self.states += other.states
        self.cpu_s += other.cpu_s
        self.seconds += other.seconds
        self.findings.counts.update(other.findings.counts)
        self.findings.places += other.findings.places

    def line(self) -> str:
        """The line that a campaign ends with."""
        counts = " ".join(f"{kind}={self.findings.counts[kind]}" for kind in checks.KINDS)
        return f"powercut: flows={self.flows} points={self.points} {counts}"


def flow_jobs(campaign: Campaign, names: Iterable[str], *, tears: int = 1, stride: int = 1) -> list[Job]:
    """Every cut of the flows `names`, or each `stride`-th of each flow (every way of cutting among them)."""
    found = []
    for name in names:
        groups: dict[object, list[int]] = {}
        seeds = [case.seed for case in campaign.recorded(name).recording.cases(tears)]
        for seed in seeds[::stride]:
            groups.setdefault(campaign.unit_after(name, seed), []).append(seed)
        found += [
            Job(name, same[0], tuple(campaign.place(name, seed) for seed in same)) for same in groups.values()
        ]
    return found


_worker: tuple[Campaign, dict[str, RunOne]] | None = None


def _run_share(share: Sequence[Job]) -> list[Result]:
    if _worker is None:
        raise RuntimeError("a worker without a campaign")
    campaign, run_by = _worker
    results = []
    for job in share:
        began = time.process_time()
        found = run_by.get(job.flow, Campaign.run_case)(campaign, job.flow, job.seed)
        results.append(Result(job, found, time.process_time() - began))
    return results


def run_jobs(
    campaign: Campaign, jobs: Sequence[Job], *, workers: int = 2, run_by: dict[str, RunOne] | None = None
) -> dict[str, Report]:
    """Run the jobs in `workers` processes; a report for each flow, in the order of the jobs.

    `run_by` names what runs the jobs of a name that is no flow. All reports share the time by the clock, in parts of
    their CPU time.
    """
    global _worker  # noqa: PLW0603 - inherited by fork: the recordings are not made again in each process
    began = time.monotonic()
    reports = {job.flow: Report(flows=1) for job in jobs}
    # The last flows are the longest; begun first, they leave no worker alone at the end.
    shares = [jobs[at : at + SHARE] for at in range(0, len(jobs), SHARE)][::-1]
    _worker = (campaign, run_by or {})
    remember_answers()
    found: list[list[Result]]
    if workers == 1:
        found = [_run_share(share) for share in shares]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
            found = list(pool.map(_run_share, shares))
    for result in (one for share in reversed(found) for one in share):
        reports[result.job.flow].take(result)
    seconds = time.monotonic() - began
    total_s = sum(report.cpu_s for report in reports.values()) or 1.0
    for report in reports.values():
        report.seconds = seconds * report.cpu_s / total_s
    return reports


def sweep(
    campaign: Campaign, names: Iterable[str], *, tears: int = 1, stride: int = 1, workers: int = 2
) -> Report:
    """Cut the flows `names` everywhere, as flow_jobs says; one report for all of them."""
    remember_answers()
    total = Report()
    for report in run_jobs(
        campaign, flow_jobs(campaign, names, tears=tears, stride=stride), workers=workers
    ).values():
        total.add(report)
    return total

"""Run many cuts in parallel. Cuts that leave the same unit are one job, whose result counts for each of them.

Two cuts leave the same unit if every byte of flash and all known facts are the same. Most often these are the cut
after an operation and the cut before the next one. Flash and facts determine the unit's further life.
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
    """One state to continue from: the flow, the seed of one cut that leads there, and all such cuts in words."""

    flow: str
    seed: int
    cuts: tuple[str, ...]


class Result(NamedTuple):
    """The findings of one job, and its CPU time in seconds."""

    job: Job
    found: Findings
    cpu_s: float


@dataclass
class Report:
    """The figures of a campaign. Times are for information only."""

    flows: int = 0
    points: int = 0  # cuts
    states: int = 0  # different units after these cuts
    cpu_s: float = 0.0
    seconds: float = 0.0  # wall time of all processes together
    findings: Findings = field(default_factory=Findings)

    @property
    def is_clean(self) -> bool:
        """Return whether at least one cut was made and there was no finding."""
        return self.points > 0 and not self.findings.texts

    @property
    def rate(self) -> float:
        """Return the cuts per second, including the rest of each flow."""
        return self.points / self.seconds if self.seconds else 0.0

    def take(self, result: Result) -> None:
        """Add the result of one job. A finding counts once for every cut that leads to it."""
        self.points += len(result.job.cuts)
        self.states += 1
        self.cpu_s += result.cpu_s
        for cut in result.job.cuts:
            self.findings.merge(result.found, cut)

    def add(self, other: Report) -> None:
        """Add the figures of another part of the campaign."""
        self.flows += other.flows
        self.points += other.points
        self.states += other.states
        self.cpu_s += other.cpu_s
        self.seconds += other.seconds
        self.findings.counts.update(other.findings.counts)
        self.findings.texts += other.findings.texts

    def line(self) -> str:
        """Return the last line of a campaign's output."""
        counts = " ".join(f"{kind}={self.findings.counts[kind]}" for kind in checks.KINDS)
        return f"powercut: flows={self.flows} points={self.points} {counts}"


def flow_jobs(campaign: Campaign, names: Iterable[str], *, tears: int = 1, stride: int = 1) -> list[Job]:
    """Return every cut of the flows `names` as jobs, or each `stride`-th cut of each flow."""
    found = []
    for name in names:
        groups: dict[object, list[int]] = {}
        seeds = [case.seed for case in campaign.recorded(name).recording.cases(tears)]
        for seed in seeds[::stride]:
            groups.setdefault(campaign.unit_after(name, seed), []).append(seed)
        found += [
            Job(name, same[0], tuple(campaign.describe(name, seed) for seed in same))
            for same in groups.values()
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
    """Run the jobs in `workers` processes. Returns a report for each flow, in the order of the jobs.

    `run_by` has the function for each job name that is not a flow. The wall time is divided among the reports in
    proportion to their CPU time.
    """
    global _worker  # noqa: PLW0603 - forked workers inherit the recordings
    began = time.monotonic()
    reports = {job.flow: Report(flows=1) for job in jobs}
    # The last flows are the longest. They start first, so that no worker runs alone at the end.
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
    """Cut the flows `names` as flow_jobs does. Returns one report for all of them."""
    remember_answers()
    total = Report()
    for report in run_jobs(
        campaign, flow_jobs(campaign, names, tears=tears, stride=stride), workers=workers
    ).values():
        total.add(report)
    return total

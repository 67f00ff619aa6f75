"""Run many cuts in parallel. Cuts that leave the same unit are one job, whose result counts for each of them.

Two cuts leave the same unit if every byte of flash and all known facts are the same. Most often these are the cut
after an operation and the cut before the next one. Flash and facts determine the unit's further life.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from simulator.powercut.campaign import Campaign
from simulator.powercut.checks import Findings
from simulator.powercut.explore import Plan, run_job
from simulator.powercut.remember import remember_answers
from simulator.powercut.results import Finding, Job, Outcome, Report, split_text

SHARE = 8  # jobs handed to a worker at a time

RunOne = Callable[[Campaign, str, int], Findings]


def flow_jobs(campaign: Campaign, names: Iterable[str], *, tears: int = 1, stride: int = 1) -> list[Job]:
    """Return every cut of the flows `names` as jobs, or each `stride`-th cut of each flow."""
    found = []
    for name in names:
        groups: dict[bytes, list[int]] = {}
        seeds = [case.seed for case in campaign.recorded(name).recording.cases(tears)]
        for seed in seeds[::stride]:
            groups.setdefault(campaign.unit_after(name, seed), []).append(seed)
        found += [
            Job(name, same[0], tuple(campaign.describe(name, seed) for seed in same))
            for same in groups.values()
        ]
    return found


_worker: tuple[Campaign, dict[str, RunOne], Plan] | None = None


def _run_other(campaign: Campaign, job: Job, run: RunOne) -> Outcome:
    """Run a job that is not a cut of a flow: the damage of a sector, a bit that flips."""
    began = time.process_time()
    found = run(campaign, job.flow, job.seed)
    outcome = Outcome(job.flow, job.seed, points=len(job.cuts), states={job.seed.to_bytes(8, "big")})
    for text in found.texts:
        kind, what = split_text(text)
        outcome.findings += [Finding(job.flow, str(job.seed), cut, kind, what) for cut in job.cuts]
    outcome.cpu_s = time.process_time() - began
    return outcome


def _run_share(share: Sequence[Job]) -> list[Outcome]:
    if _worker is None:
        raise RuntimeError("a worker without a campaign")
    campaign, run_by, plan = _worker
    return [
        _run_other(campaign, job, run_by[job.flow]) if job.flow in run_by else run_job(campaign, job, plan)
        for job in share
    ]


def _outcomes(shares: Sequence[Sequence[Job]], workers: int) -> Iterator[Outcome]:
    """Yield the outcomes as they come."""
    if workers == 1:
        for share in shares:
            yield from _run_share(share)
        return
    gc.freeze()  # what exists is shared with the workers; looking for garbage in it would copy it
    try:
        with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
            for done in as_completed([pool.submit(_run_share, share) for share in shares]):
                yield from done.result()
    finally:
        gc.unfreeze()


def run_jobs(
    campaign: Campaign,
    jobs: Sequence[Job],
    *,
    workers: int = 2,
    run_by: dict[str, RunOne] | None = None,
    plan: Plan | None = None,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> dict[str, Report]:
    """Run the jobs in `workers` processes. Returns a report for each flow, in the order of the jobs.

    `run_by` has the function for each job name that is not a flow. `on_outcome` is called for each job when it ends.
    The wall time is divided among the reports in proportion to their CPU time.
    """
    global _worker  # noqa: PLW0603 - forked workers inherit the recordings
    began = time.monotonic()
    # The last flows are the longest. They start first, so that no worker runs alone at the end.
    shares = [jobs[at : at + SHARE] for at in range(0, len(jobs), SHARE)][::-1]
    _worker = (campaign, run_by or {}, plan or Plan())
    found: list[Outcome] = []
    for outcome in _outcomes(shares, workers):
        found.append(outcome)
        on_outcome(outcome)
    reports = reports_of(found, [job.flow for job in jobs])
    seconds = time.monotonic() - began
    total_s = sum(report.cpu_s for report in reports.values()) or 1.0
    for report in reports.values():
        report.seconds = seconds * report.cpu_s / total_s
    return reports


def reports_of(outcomes: Iterable[Outcome], names: Iterable[str]) -> dict[str, Report]:
    """Return a report for each flow, in the order of `names`. It is the same for every order of the outcomes."""
    reports = {name: Report(flows=1) for name in names}
    for outcome in sorted(outcomes, key=lambda one: (one.flow, one.seed)):
        reports[outcome.flow].take(outcome)
    return reports


def sweep(campaign: Campaign, names: Iterable[str], *, plan: Plan | None = None, workers: int = 2) -> Report:
    """Cut the flows `names` as `plan` says. Returns one report for all of them."""
    remember_answers()
    total, how = Report(), plan or Plan()
    jobs = flow_jobs(campaign, names, tears=how.tears, stride=how.stride)
    for report in run_jobs(campaign, jobs, workers=workers, plan=how).values():
        total.add(report)
    return total

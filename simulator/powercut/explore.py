"""Run one job: the cut of a flow, and with depth 2 or more every cut in the recovery from it, and so on.

Cuts of one recovery that leave the same unit are run once and counted each. With `Plan.second`, that many cuts are
drawn of each recovery, by a seed that follows from the flow and the cuts before: the same ones in every run.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from typing import NamedTuple

from simulator.ports.flash import TORN
from simulator.powercut.campaign import Campaign, Path, state_after
from simulator.powercut.engine import Case
from simulator.powercut.flows import Flow
from simulator.powercut.lives import Recorded
from simulator.powercut.results import Finding, Job, Outcome, split_text
from simulator.powercut.same import unit_digest


class Plan(NamedTuple):
    """The plan of a campaign: how often each operation is torn, each n-th cut, how deep, second cuts of a recovery."""

    tears: int = 1
    stride: int = 1
    depth: int = 1
    second: int = 0  # 0: all


def run_job(campaign: Campaign, job: Job, plan: Plan) -> Outcome:
    """Run the job of a flow."""
    began = time.process_time()
    recorded = campaign.recorded(job.flow)
    case = recorded.recording.case(job.seed)
    outcome = Outcome(job.flow, job.seed, points=len(job.cuts))
    outcome.torn = sum(_is_torn(cut) for cut in job.cuts)
    outcome.states.add(campaign.unit_after(job.flow, job.seed))
    life = campaign.judge(recorded.flow, *state_after(recorded, case))
    for text in life.found.texts:
        for cut in job.cuts:
            seed = _seed_of(cut)
            outcome.findings.append(_finding(recorded, (seed,), recorded.recording.case(seed), cut, text))
    if plan.depth > 1 and life.recovery is not None:
        _go_deeper(campaign, recorded.flow, (job.seed,), job.cuts[0], life.recovery, plan, outcome)
    outcome.cpu_s = time.process_time() - began
    return outcome


def _go_deeper(
    campaign: Campaign, flow: Flow, path: Path, cuts: str, recovery: Recorded, plan: Plan, outcome: Outcome
) -> None:
    """Cut a recovery; add what is found to `outcome`."""
    groups: dict[bytes, list[Case]] = {}
    for case in _chosen(flow.name, path, recovery, plan):
        groups.setdefault(unit_digest(*state_after(recovery, case)), []).append(case)
    for digest, same in groups.items():
        outcome.points += len(same)
        outcome.second += len(same)
        outcome.torn += sum(case.when == TORN for case in same)
        is_new = digest not in outcome.states
        outcome.states.add(digest)
        if not is_new:
            continue  # the same unit as before this cut, or as after another one: judged already
        life = campaign.judge(flow, *state_after(recovery, same[0]), is_first=False)
        for case in same:
            words = _describe(cuts, recovery, case)
            outcome.findings += [
                _finding(recovery, (*path, case.seed), case, words, text) for text in life.found.texts
            ]
        if len(path) + 1 < plan.depth and life.recovery is not None:
            deeper = _describe(cuts, recovery, same[0])
            _go_deeper(campaign, flow, (*path, same[0].seed), deeper, life.recovery, plan, outcome)


def _chosen(name: str, path: Path, recovery: Recorded, plan: Plan) -> Iterable[Case]:
    cases = list(recovery.recording.cases(plan.tears))
    if plan.second and len(cases) > plan.second:
        chance = random.Random(f"{name} {path}")  # noqa: S311 - a sample, not a secret
        return sorted(chance.sample(cases, plan.second))
    return cases


def _describe(before: str, recovery: Recorded, case: Case) -> str:
    head, _, rest = before.partition(" (")
    return f"{head}.{case.seed} ({rest.removesuffix(')')}; then {recovery.recording.describe(case)})"


def _finding(recorded: Recorded, path: Path, case: Case, cut: str, text: str) -> Finding:
    kind, what = split_text(text)
    operation = recorded.recording.operations[case.operation - 1]
    seeds = ".".join(str(seed) for seed in path)
    return Finding(recorded.flow.name, seeds, cut, kind, what, str(operation), operation.place)


def _is_torn(cut: str) -> bool:
    return f"({TORN}" in cut


def _seed_of(cut: str) -> int:
    return int(cut.split()[3])

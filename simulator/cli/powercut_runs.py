"""The runs of `firstboot powercut`: the jobs of the wanted flows, a part of them, or one case again."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from provisioning.cli.output import print_report
from provisioning.counted import counted
from provisioning.firmware.emulated import EmulatedBoard
from simulator.cli.options import chosen_board
from simulator.ports import record_contents
from simulator.powercut import rot, sectors
from simulator.powercut.bench import Bench, default_folder
from simulator.powercut.campaign import Campaign
from simulator.powercut.explore import Plan
from simulator.powercut.flows import FLOWS
from simulator.powercut.journal import Head, Journal
from simulator.powercut.journal import merge as merge_journals
from simulator.powercut.remember import remember_answers
from simulator.powercut.results import Finding, Job, Outcome, Report, split_text
from simulator.powercut.sweep import RunOne, flow_jobs, reports_of, run_jobs

if TYPE_CHECKING:
    from simulator.cli.powercut import RunSettings

NAMES: Final = [*FLOWS, sectors.NAME, rot.NAME]
RUN_BY: Final[dict[str, RunOne]] = {sectors.NAME: sectors.run_sector, rot.NAME: rot.run_rot}
PRINTED_S: Final = 5.0  # between two lines of progress

Flows = Mapping[str, Report]


class UnknownError(Exception):
    """An option names something that does not exist. The text says what exists."""


class On(StrEnum):
    """The unit whose power is cut."""

    sim = "sim"
    qemu = "qemu"


@dataclass(frozen=True)
class Wanted:
    """A campaign or one case. `seed`: the path of one case, () for a campaign. `shard`: (K, N)."""

    names: list[str]
    seed: tuple[int, ...]
    on: On
    sample: int
    plan: Plan
    shard: tuple[int, int]
    resume: Path | None
    is_shared: bool
    workers: int
    board: EmulatedBoard

    @classmethod
    def of(cls, settings: RunSettings) -> Wanted:
        """Check the options of the command. Raises UnknownError."""
        names = list(settings.flow or ()) or NAMES
        if settings.on is On.sim:
            _require_known(names, NAMES)
        seed = () if settings.seed is None else _path(settings.seed)
        if seed and len(names) != 1:
            raise UnknownError("--seed needs exactly one --flow")
        plan = Plan(settings.tears, settings.stride, settings.depth, settings.second)
        shard = _shard(settings.shard)
        return cls(
            names,
            seed,
            settings.on,
            settings.sample,
            plan,
            shard,
            settings.resume,
            settings.share,
            settings.workers,
            chosen_board(settings.on, settings.board),
        )


def _require_known(names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownError(f"there is no {name!r}; use one of: {', '.join(known)}")


def _path(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}", text):
        raise UnknownError(f"--seed is a number, or numbers joined by dots: 17.4, not {text!r}")
    return tuple(int(part) for part in text.split("."))


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    part, parts = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= part <= parts:
        raise UnknownError(f"--shard is K/N with K from 1 to N, not {text!r}")
    return part, parts


def run(wanted: Wanted) -> tuple[Flows, Mapping[str, int]]:
    """Run what is wanted. Returns a report for each flow, and the plan."""
    plan = wanted.plan._asdict()
    if wanted.on is On.qemu:
        return _on_board(wanted), {"sample": wanted.sample}
    if wanted.is_shared:
        remember_answers()
    record_contents.set_shared(wanted.is_shared)
    campaign = Campaign(Bench(default_folder()))
    campaign.judged.is_used = wanted.is_shared
    if wanted.seed:
        return _again(campaign, wanted.names[0], wanted.seed), plan
    return _all(campaign, wanted), plan


def all_jobs(campaign: Campaign, names: Sequence[str], plan: Plan) -> list[Job]:
    """Return every job of these flows."""
    jobs = flow_jobs(
        campaign, [name for name in names if name in FLOWS], tears=plan.tears, stride=plan.stride
    )
    if sectors.NAME in names:
        jobs += sectors.sector_jobs(campaign)[:: plan.stride]
    if rot.NAME in names:
        jobs += rot.rot_jobs(campaign)[:: plan.stride]
    return jobs


def _all(campaign: Campaign, wanted: Wanted) -> Flows:
    began = time.monotonic()
    jobs = all_jobs(campaign, wanted.names, wanted.plan)
    part, parts = wanted.shard
    mine = jobs[part - 1 :: parts]
    journal = None
    if wanted.resume is not None:
        head = Head(default_folder().name, wanted.plan._asdict(), tuple(wanted.names), len(jobs))
        journal = Journal(wanted.resume, head)
    done = journal.done if journal is not None else {}
    left = [job for job in mine if (job.flow, job.seed) not in done]
    progress = _Progress(len(left))

    def take(outcome: Outcome) -> None:
        progress.step(outcome)
        if journal is not None:
            journal.add(outcome)

    try:
        outcomes = run_jobs(
            campaign, left, workers=wanted.workers, run_by=RUN_BY, plan=wanted.plan, on_outcome=take
        )
    finally:
        if journal is not None:
            journal.close()
    names = [name for name in wanted.names if any(job.flow == name for job in mine)]
    before = [outcome for key, outcome in done.items() if any((job.flow, job.seed) == key for job in mine)]
    reports = reports_of([*progress.outcomes, *before], names)
    seconds = time.monotonic() - began  # with the uncut runs, from which every cut starts
    total_s = sum(report.cpu_s for report in outcomes.values()) or 1.0
    for name, report in outcomes.items():
        reports[name].seconds = seconds * report.cpu_s / total_s
    return reports


class _Progress:
    """Prints a line now and then, and keeps the outcomes."""

    def __init__(self, jobs: int) -> None:
        self.outcomes: list[Outcome] = []
        self._jobs = jobs
        self._began = self._printed = time.monotonic()

    def step(self, outcome: Outcome) -> None:
        """Take the outcome of a job."""
        self.outcomes.append(outcome)
        now = time.monotonic()
        if now - self._printed < PRINTED_S:
            return
        self._printed = now
        cuts = sum(one.points for one in self.outcomes)
        passed_s = now - self._began
        left_s = passed_s / len(self.outcomes) * (self._jobs - len(self.outcomes))
        found = sum(len(one.findings) for one in self.outcomes)
        typer.echo(
            f"  {len(self.outcomes)} of {self._jobs} states, {cuts} cuts, {cuts / passed_s:.0f} a second, "
            f"{counted(found, 'finding')}, about {left_s:.0f} s left",
            err=True,
        )


def _again(campaign: Campaign, name: str, path: tuple[int, ...]) -> Flows:
    """Run one case. The first cut of a flow is made again in the flash driver, not taken from its recording."""
    seeds = ".".join(str(seed) for seed in path)
    if name in RUN_BY:
        jobs = {job.seed: job for job in all_jobs(campaign, [name], Plan())}
        if len(path) != 1 or path[0] not in jobs:
            raise UnknownError(f"--seed is 0 to {len(jobs) - 1} for {name}")
        found, cut = RUN_BY[name](campaign, name, path[0]), jobs[path[0]].cuts[0]
    elif len(path) == 1:
        found = campaign.run_case(name, path[0], is_rerun=True)
        cut = campaign.describe(name, path[0])
    else:
        try:
            life, words = campaign.life_after(name, path)
        except ValueError as error:
            raise UnknownError(f"--seed {seeds}: {error}") from None
        found, cut = life.found, f"--flow {name} --seed {seeds} ({words})"
    typer.echo(cut, err=True)
    outcome = Outcome(name, path[0], points=1, second=int(len(path) > 1), states={bytes(8)})
    outcome.findings = [Finding(name, seeds, cut, *split_text(text)) for text in found.texts]
    report = Report(flows=1)
    report.take(outcome)
    return {name: report}


def merged(files: Sequence[Path]) -> tuple[Flows, Mapping[str, int]]:
    """Return the reports of the journals of all parts, and the plan. Raises JournalError."""
    head, outcomes = merge_journals(files)
    return reports_of(outcomes, head.flows), head.plan


def _on_board(wanted: Wanted) -> Flows:
    """Run a sample of the flows on the emulated board, or one case."""
    from simulator.powercut.on_board import flows as board_flows
    from simulator.powercut.on_board import sample as board

    names = wanted.names if wanted.names != NAMES else list(board_flows.FLOWS)
    _require_known(names, list(board_flows.FLOWS))
    if not wanted.seed:
        note = lambda text: typer.echo(f"  {text}", err=True)  # noqa: E731
        return board.run_flows(names, wanted.sample, 0, workers=wanted.workers, note=note, board=wanted.board)
    result = board.replay(names[0], wanted.seed[0], wanted.board)
    typer.echo(result.cut, err=True)
    report = Report(flows=1)
    board.take(report, names[0], wanted.seed[0], result)
    return {names[0]: report}


def bugs(names: Sequence[str], workers: int, is_json: bool) -> None:
    """Plant bugs and print the score. Exit code 1 if one is missed."""
    from simulator.powercut.planted import score
    from simulator.powercut.planted.bugs import BUGS

    _require_known(names, list(BUGS))
    results = score.run(list(names) or list(BUGS), workers, lambda line: typer.echo(f"  {line}", err=True))
    found = sum(one.is_found for one in results)
    document = {"bugs": len(results), "found": found, "each": [one._asdict() for one in results]}
    print_report([f"planted bugs: {found} of {len(results)} found"], document, is_json)
    if found != len(results):
        raise typer.Exit(1)

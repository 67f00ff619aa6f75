"""Run the campaign with each planted bug until it finds something; a bug that it does not find is a miss.

The runs before the flow are made without the bug. Cases are tried in a fixed order that jumps through the flow, because
the answer is wanted and not the number of findings. A bug that is meant for a second cut must not be found by a first
one: that would show that its label is wrong.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypeVar

from simulator.ports import record_contents
from simulator.powercut import rot, sectors
from simulator.powercut.bench import Bench, default_folder
from simulator.powercut.campaign import Campaign, state_after
from simulator.powercut.engine import Case
from simulator.powercut.flows import FLOWS
from simulator.powercut.lives import Recorded
from simulator.powercut.planted.bugs import BUGS
from simulator.powercut.planted.plant import ROT, SECOND, SECTORS, Bug, planted
from simulator.powercut.remember import remember_answers
from simulator.powercut.same import unit_digest

T = TypeVar("T")
TEARS = 5  # every shape after which reads are stable


class WrongLabelError(Exception):
    """A bug that only a second cut should show is found by a first one."""


class Score(NamedTuple):
    """The result for one bug: whether it was found, by which case, what was found, and how many cases it took."""

    bug: str
    is_found: bool
    where: str
    text: str
    cases: int
    cpu_s: float

    def line(self) -> str:
        """Return the result in words."""
        if not self.is_found:
            return f"{self.bug}: NOT FOUND in {self.cases} cases ({BUGS[self.bug].text})"
        return f"{self.bug}: found after {self.cases} cases, {self.where}: {self.text}"


def run(names: Sequence[str], workers: int, note: Callable[[str], None]) -> list[Score]:
    """Run the campaign with each of these bugs. `note` gets a line for each result."""
    remember_answers()
    campaign = Campaign(Bench(default_folder()))
    for bug in (BUGS[name] for name in names):  # once, before the workers are forked
        campaign.recorded(_before(bug) or "provision")
    _campaigns[campaign.bench.folder] = campaign
    results: list[Score] = []
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        for score in pool.map(_score_in, [(campaign.bench.folder, name) for name in names]):
            note(score.line())
            results.append(score)
    return results


_campaigns: dict[Path, Campaign] = {}


def _score_in(wanted: tuple[Path, str]) -> Score:
    folder, name = wanted
    return score(_campaigns[folder], BUGS[name])


def score(campaign: Campaign, bug: Bug) -> Score:
    """Run the campaign with this bug until something is found. `campaign` keeps no trace of the bug."""
    began = time.process_time()
    before = _before(bug)
    if before is not None:
        campaign.recorded(before)
    buggy = campaign.copy(without=bug.flow)
    record_contents.set_shared(True)
    cases, found = 0, ("", "")
    with planted(bug):
        try:
            for where, texts in _cases(buggy, bug):
                cases += 1
                if texts:
                    found = (where, texts[0])
                    break
        except WrongLabelError:
            raise
        except Exception as error:  # the flow fails without a cut
            found = ("without a cut", f"{type(error).__name__}: {error}")
    return Score(bug.name, bool(found[1]), *found, cases, time.process_time() - began)


def _before(bug: Bug) -> str | None:
    """Return the flow that runs before the bug is planted."""
    return FLOWS[bug.flow].after if bug.flow in FLOWS else sectors.AFTER


def _cases(campaign: Campaign, bug: Bug) -> Iterator[tuple[str, list[str]]]:
    """Yield the cases of a bug: in words, and what was found."""
    if bug.by in (SECTORS, ROT):
        jobs = sectors.sector_jobs(campaign) if bug.by == SECTORS else rot.rot_jobs(campaign)
        run_one = sectors.run_sector if bug.by == SECTORS else rot.run_rot
        for job in _jumping(bug, jobs):
            yield job.cuts[0], run_one(campaign, job.flow, job.seed).texts
        return
    recorded = campaign.recorded(bug.flow)
    for case in _jumping(bug, _different(recorded)):
        life = campaign.judge(recorded.flow, *state_after(recorded, case))
        words = campaign.describe(bug.flow, case.seed)
        if bug.by != SECOND:
            yield words, life.found.texts
            continue
        if life.found.texts:
            raise WrongLabelError(f"{bug.name} is found by a first cut: {words}: {life.found.texts[0]}")
        if life.recovery is None:
            continue
        for second in _different(life.recovery):
            again = campaign.judge(recorded.flow, *state_after(life.recovery, second), is_first=False)
            yield f"{words}, then {life.recovery.recording.describe(second)}", again.found.texts


def _different(recorded: Recorded) -> list[Case]:
    """Return the cuts of a run that leave different units."""
    found: dict[bytes, Case] = {}
    for case in recorded.recording.cases(TEARS):
        found.setdefault(unit_digest(*state_after(recorded, case)), case)
    return list(found.values())


def _jumping(bug: Bug, cases: Sequence[T]) -> list[T]:
    return random.Random(bug.name).sample(cases, len(cases))  # noqa: S311 - an order, not a secret

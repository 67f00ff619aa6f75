"""Select cuts on the emulated board from a seed and run them in parallel; each process has its own unit."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from provisioning.counted import counted
from provisioning.firmware.emulated import DEFAULT, EMULATED, EmulatedBoard
from renode.machine import CUTS
from simulator.powercut.on_board.bench import BoardBench
from simulator.powercut.on_board.cases import CaseResult, count_operations, run_case
from simulator.powercut.on_board.flows import FLOWS
from simulator.powercut.results import Finding, Outcome, Report, split_text

LEAST = 8  # minimum number of cases of each flow, unless the caller asks for fewer


class Share(NamedTuple):
    """The cases that one process runs."""

    directory: str
    names: tuple[str, ...]
    number: int  # which of the processes this is
    workers: int
    sample: int
    seed: int
    least: int
    board: str


def select_cases(totals: dict[str, int], sample: int, seed: int, least: int = LEAST) -> dict[str, list[int]]:
    """Return seeds by flow: about `sample` of all cuts, equally likely, and at least `least` of each flow.

    `totals` has the number of operations of each flow. The same arguments return the same seeds.
    """
    cuts = sum(totals.values()) * len(CUTS)
    found = {}
    for name, total in totals.items():
        wanted = max(least, -(-sample * total * len(CUTS) // cuts))
        every = range(total * len(CUTS))
        found[name] = sorted(random.Random(f"{seed} {name}").sample(every, min(wanted, len(every))))  # noqa: S311
    return found


class SampleError(Exception):
    """A unit could not be provisioned, or a flow fails without a cut. The text names the error."""


def _run_share(share: Share) -> dict[str, Report]:
    try:
        return _run(share)
    except Exception as error:  # not every error can be pickled between processes
        raise SampleError(f"{type(error).__name__}: {error}") from None


def _run(share: Share) -> dict[str, Report]:
    reports = {}
    with BoardBench(Path(share.directory), board=EMULATED[share.board]) as bench:
        bench.prepare()
        totals = {name: count_operations(bench, name) for name in share.names}
        for name, seeds in select_cases(totals, share.sample, share.seed, share.least).items():
            reports[name] = Report(flows=1)
            for seed in seeds[share.number :: share.workers]:
                take(reports[name], name, seed, run_case(bench, name, seed))
    return reports


def take(report: Report, name: str, seed: int, result: CaseResult) -> None:
    """Add a case to the report, unless the flow ended before its operation."""
    if not result.was_reached:
        return
    outcome = Outcome(name, seed, points=1, torn=int("torn" in result.cut), states={seed.to_bytes(8, "big")})
    outcome.findings = [
        Finding(name, str(seed), result.cut, *split_text(text)) for text in result.found.texts
    ]
    report.take(outcome)


def run_flows(
    names: Sequence[str],
    sample: int,
    seed: int,
    *,
    workers: int = 2,
    least: int = LEAST,
    note: Callable[[str], None],
    board: EmulatedBoard = DEFAULT,
) -> dict[str, Report]:
    """Cut the flows `names` about `sample` times in `workers` processes. Returns each report. Raises SampleError."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="firstboot-cuts-") as folder:
        shares = [
            Share(f"{folder}/{number}", tuple(names), number, workers, sample, seed, least, board.name)
            for number in range(workers)
        ]
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(_run_share, shares))
    found = {}
    for name in names:
        found[name] = Report(flows=1, seconds=(time.monotonic() - began) / len(names))
        for part in parts:
            part[name].flows = 0
            found[name].add(part[name])
        note(f"{name}: {counted(found[name].points, 'cut')}")
    return found


def run_sample(
    names: Sequence[str],
    sample: int,
    seed: int,
    *,
    workers: int = 2,
    least: int = LEAST,
    note: Callable[[str], None],
    board: EmulatedBoard = DEFAULT,
) -> Report:
    """Do the same and return one report for all flows."""
    total = Report()
    for report in run_flows(
        names, sample, seed, workers=workers, least=least, note=note, board=board
    ).values():
        total.add(report)
    return total


def replay(name: str, seed: int, board: EmulatedBoard = DEFAULT) -> CaseResult:
    """Run one case on a new unit."""
    if name not in FLOWS:
        raise ValueError(f"no flow {name} on the board")
    with (
        tempfile.TemporaryDirectory(prefix="firstboot-cut-") as folder,
        BoardBench(Path(folder), board=board) as bench,
    ):
        bench.prepare()
        return run_case(bench, name, seed)

"""Run flows, cut them everywhere, count what is wrong.

campaign = Campaign(bench)          recording of each flow is made when first asked for
campaign.run_case("set-up", 17)     one cut: what the flash says, what the unit then lets one do, the flow's end
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

from device.crypto import backend
from device.update.slots import BootState
from simulator.ports.flash import PowerCut, SimFlash, Snapshot
from simulator.powercut import bench as made
from simulator.powercut import checks
from simulator.powercut.checks import Findings
from simulator.powercut.engine import Case, Recording, record, tear_seed
from simulator.powercut.flows import FLOWS, Flow
from simulator.powercut.machine import LostError, Machine, OpenedError, World

SHARE = 20  # cases handed to a worker at a time


@dataclass(frozen=True)
class Recorded:
    """A flow that ran uncut: its flash states, and the world before and after it."""

    flow: Flow
    recording: Recording
    before: World  # arranged for the flow
    after: World
    base: int  # flash.operations when the recording began
    end: Snapshot


@dataclass
class Report:
    """The figures of a campaign. `seconds` is for people; nothing depends on it."""

    flows: int = 0
    points: int = 0
    seconds: float = 0.0
    findings: Findings = field(default_factory=Findings)

    @property
    def is_clean(self) -> bool:
        """Whether there was something to cut and nothing was wrong."""
        return self.points > 0 and not self.findings.places

    @property
    def rate(self) -> float:
        """Cuts a second, going on to the flow's end included."""
        return self.points / self.seconds if self.seconds else 0.0

    def add(self, other: Report) -> None:
        """Take the figures of another part of the campaign."""
        self.flows += other.flows
        self.points += other.points
        self.seconds += other.seconds
        self.findings.counts.update(other.findings.counts)
        self.findings.places += other.findings.places

    def line(self) -> str:
        """The line that a campaign ends with."""
        counts = " ".join(f"{kind}={self.findings.counts[kind]}" for kind in checks.KINDS)
        return f"powercut: flows={self.flows} points={self.points} {counts}"


def bare_flash(bench: made.Bench) -> SimFlash:
    """A unit as the flash programmer leaves it: release 1 confirmed in slot 0."""
    flash = SimFlash(made.LAYOUT)
    boot = BootState(flash, made.LAYOUT)
    image = bench.images[1]
    for at in range(0, len(image), made.LAYOUT.sector_bytes):
        boot.rewrite_sector(0, at, image[at : at + made.LAYOUT.sector_bytes])
    boot.stage(0)
    boot.mark_tried(0)
    boot.confirm(0)
    return flash


class Campaign:
    """Recordings are kept, so that the flows behind a flow are run once."""

    def __init__(self, bench: made.Bench) -> None:
        self.bench = bench
        self._recorded: dict[str, Recorded] = {}

    def recorded(self, name: str) -> Recorded:
        """The flow's uncut run. Raises KeyError for a flow that does not exist, BrickedError where it fails."""
        if name not in self._recorded:
            self._recorded[name] = self._record(FLOWS[name])
        return self._recorded[name]

    def _start(self, flow: Flow) -> tuple[SimFlash, World]:
        """Where `flow` begins: flash and world."""
        if flow.after is None:
            flash, world = bare_flash(self.bench), World(self.bench)
        else:
            before = self.recorded(flow.after)
            flash, world = SimFlash(made.LAYOUT), before.after.copy()
            flash.restore(before.end)
            # What was told in earlier flows stays true: it comes before every operation of this one.
            world.told = [item._replace(operations=-1) for item in world.told]
        flow.arrange(world)
        return flash, world

    def _record(self, flow: Flow) -> Recorded:
        flash, world = self._start(flow)
        before, base = world.copy(), flash.operations
        machine = Machine(flash, world)
        recording = record(flash, lambda: machine.live(flow.script), made.LAYOUT)
        return Recorded(flow, recording, before, world, base, flash.snapshot())

    # one case ------------------------------------------------------------------------------------------------
    def state_after(self, name: str, case: Case) -> tuple[SimFlash, World]:
        """Flash and world as the cut leaves them, from the recording."""
        recorded = self.recorded(name)
        world = recorded.after.copy(recorded.base + case.operation)
        flash = recorded.recording.flash_after(case)
        world.starts += 1000  # later starts draw other random bytes than the run that was cut
        return flash, world

    def state_after_rerun(self, name: str, case: Case) -> tuple[SimFlash, World]:
        """The same by running the flow again with the cut in the flash driver: what the recording stands for."""
        flow = FLOWS[name]
        start, world = self._start(flow)
        flash = SimFlash(made.LAYOUT, seed=tear_seed(case))
        flash.restore(start.snapshot())
        flash.cut_at(case.operation, case.when)
        try:
            Machine(flash, world).live(flow.script)
        except PowerCut:
            pass
        flash.power_on()
        return flash, world

    def run_case(self, name: str, seed: int, *, is_rerun: bool = False) -> Findings:
        """Cut the flow as `seed` says, look, go on to its end, look again."""
        recorded = self.recorded(name)
        case = recorded.recording.case(seed)
        flash, world = (self.state_after_rerun if is_rerun else self.state_after)(name, case)
        found = checks.check_at_rest(flash, world)
        if found.counts[checks.BRICKED]:
            return found
        recorded.flow.rearrange(world)
        self._go_on(recorded.flow, flash, world, found)
        return found

    def _go_on(self, flow: Flow, flash: SimFlash, world: World, found: Findings) -> None:
        machine = Machine(flash, world)

        async def script(machine: Machine) -> None:
            await checks.check_doors(machine, found)
            await flow.script(machine)

        try:
            machine.live(script)
        except OpenedError as error:
            found.add(checks.OPEN, str(error))
            return
        except LostError as error:
            found.add(checks.LOST, str(error))
            return
        except Exception as error:  # whatever else ends the flow here keeps the unit from its goal
            found.add(checks.BRICKED, f"{type(error).__name__}: {error}")
            return
        end = checks.check_at_rest(flash, world)
        found.counts.update(end.counts)
        found.places += [f"at the end of the flow: {text}" for text in end.places]
        for text in world.reused:
            found.add(checks.NONCE_REUSE, text)

    def place(self, name: str, seed: int) -> str:
        """The case in words, with the command that replays it."""
        recording = self.recorded(name).recording
        case = recording.case(seed)
        what = recording.operations[case.operation - 1]
        return f"--flow {name} --seed {seed} ({case.when} operation {case.operation} of {recording.total}, {what})"


# many cases --------------------------------------------------------------------------------------------------
RunOne = Callable[[Campaign, str, int], Findings]
_worker: tuple[Campaign, RunOne] | None = None


def _run_share(share: Sequence[tuple[str, int, str]]) -> tuple[int, Findings]:
    if _worker is None:
        raise RuntimeError("a worker without a campaign")
    found = Findings()
    campaign, run_one = _worker
    for name, seed, place in share:
        found.merge(run_one(campaign, name, seed), place)
    return len(share), found


def run_cases(
    campaign: Campaign, cases: Sequence[tuple[str, int, str]], run_one: RunOne, *, workers: int = 2
) -> Report:
    """Run each (flow, seed, place in words) in `workers` processes; the report's `flows` counts the names."""
    global _worker  # noqa: PLW0603 - inherited by fork: the recordings are not made again in each process
    began = time.monotonic()
    report = Report(flows=len({name for name, _, _ in cases}))
    shares = [cases[at : at + SHARE] for at in range(0, len(cases), SHARE)]
    _worker = (campaign, run_one)
    remember_answers()
    if workers == 1:
        _take(report, map(_run_share, shares))
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
            _take(report, pool.map(_run_share, shares))
    report.seconds = time.monotonic() - began
    return report


def _take(report: Report, results: Iterable[tuple[int, Findings]]) -> None:
    for points, found in results:
        report.points += points
        report.findings.counts.update(found.counts)
        report.findings.places += found.places


def flow_cases(
    campaign: Campaign, names: Iterable[str], *, tears: int = 1, stride: int = 1
) -> list[tuple[str, int, str]]:
    """Every cut of the flows `names`, or each `stride`-th of each flow (every way of cutting among them)."""
    found = []
    for name in names:
        seeds = [case.seed for case in campaign.recorded(name).recording.cases(tears)]
        found += [(name, seed, campaign.place(name, seed)) for seed in seeds[::stride]]
    return found


def sweep(
    campaign: Campaign, names: Iterable[str], *, tears: int = 1, stride: int = 1, workers: int = 2
) -> Report:
    """Cut the flows `names` everywhere, as flow_cases says."""
    remember_answers()
    cases = flow_cases(campaign, names, tears=tears, stride=stride)
    return run_cases(campaign, cases, Campaign.run_case, workers=workers)


class _Remembering:
    """A function of bytes alone, asked again and again with the same ones."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._answers: dict[tuple[object, ...], Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        key = tuple(bytes(item) if isinstance(item, bytearray | memoryview) else item for item in arguments)
        if key not in self._answers:
            if len(self._answers) > 50_000:
                self._answers.clear()
            self._answers[key] = self._function(*arguments)
        return self._answers[key]


def remember_answers() -> None:
    """Let this process compute each signature check and each cipher once: most cases ask for the same ones."""
    for name in ("p256_verify", "p256_sign", "p256_public", "aes_ccm_encrypt", "aes_ccm_decrypt"):
        function = getattr(backend, name)
        if not isinstance(function, _Remembering):
            setattr(backend, name, _Remembering(function))

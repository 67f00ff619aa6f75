"""Run flows, cut them everywhere, count what is wrong.

campaign = Campaign(bench)          recording of each flow is made when first asked for
campaign.run_case("set-up", 17)     one cut: what the flash says, what the unit then lets one do, the flow's end
"""

from __future__ import annotations

from dataclasses import dataclass

from device.update.slots import BootState
from simulator.ports.flash import PowerCut, SimFlash, Snapshot
from simulator.powercut import app_sets as _app_sets  # noqa: F401 - its flows are registered
from simulator.powercut import bench as made
from simulator.powercut import checks
from simulator.powercut.checks import Findings
from simulator.powercut.engine import Case, Recording, record, tear_seed
from simulator.powercut.flows import FLOWS, Flow
from simulator.powercut.machine import LostError, Machine, OpenedError, World


@dataclass(frozen=True)
class Recorded:
    """A flow that ran uncut: its flash states, and the world before and after it."""

    flow: Flow
    recording: Recording
    before: World  # arranged for the flow
    after: World
    base: int  # flash.operations when the recording began
    end: Snapshot


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

    def machine_after(self, name: str) -> Machine:
        """A unit at the end of a flow, on again: its broker answers and holds nothing new, CoAP is silent."""
        recorded = self.recorded(name)
        flash, world = SimFlash(made.LAYOUT), recorded.after.copy()
        flash.restore(recorded.end)
        world.has_mqtt, world.has_coap = True, False
        world.starts += 500  # other random bytes than any start of the flow
        return Machine(flash, world)

    # one case ------------------------------------------------------------------------------------------------
    def state_after(self, name: str, case: Case) -> tuple[SimFlash, World]:
        """Flash and world as the cut leaves them, from the recording."""
        recorded = self.recorded(name)
        world = recorded.after.copy(recorded.base + case.operation)
        flash = recorded.recording.flash_after(case)
        world.starts += 1000  # later starts draw other random bytes than the run that was cut
        return flash, world

    def unit_after(self, name: str, seed: int) -> object:
        """Everything that the rest of the unit's life follows from: its flash, and how much it had told by then.

        What was told is a beginning of the same list in every case of a flow, so its length says which.
        """
        recorded = self.recorded(name)
        case = recorded.recording.case(seed)
        told = sum(item.operations < recorded.base + case.operation for item in recorded.after.told)
        return told, frozenset(recorded.recording.flash_after(case).snapshot().items())

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

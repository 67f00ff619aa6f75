"""Run flows, cut them at every operation, count the findings.

campaign = Campaign(bench)          each flow is recorded on first use
campaign.run_case("set-up", 17)     one cut: check the flash, the unit's access control and the end of the flow
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
from simulator.powercut.errors import LostError, OpenedError
from simulator.powercut.flows import FLOWS, Flow
from simulator.powercut.machine import Machine
from simulator.powercut.world import World


@dataclass(frozen=True)
class Recorded:
    """A flow that ran without a cut: its flash states, and the world before and after it."""

    flow: Flow
    recording: Recording
    before: World  # arranged for the flow
    after: World
    base: int  # flash.operations when the recording began
    end: Snapshot


def bare_flash(bench: made.Bench) -> SimFlash:
    """Return the flash of a freshly programmed unit: release 1 confirmed in slot 0."""
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
    """Keeps recordings, so that the flows before a flow run only once."""

    def __init__(self, bench: made.Bench) -> None:
        self.bench = bench
        self._recorded: dict[str, Recorded] = {}

    def recorded(self, name: str) -> Recorded:
        """Return the flow's run without a cut. Raises KeyError for an unknown flow, BrickedError if the flow fails."""
        if name not in self._recorded:
            self._recorded[name] = self._record(FLOWS[name])
        return self._recorded[name]

    def _start(self, flow: Flow) -> tuple[SimFlash, World]:
        """Return the flash and the world that `flow` begins with."""
        if flow.after is None:
            flash, world = bare_flash(self.bench), World(self.bench)
        else:
            before = self.recorded(flow.after)
            flash, world = SimFlash(made.LAYOUT), before.after.copy()
            flash.restore(before.end)
            # The facts of earlier flows stay true: they come before every operation of this flow.
            world.history = [item._replace(operations=-1) for item in world.history]
        flow.arrange(world)
        return flash, world

    def _record(self, flow: Flow) -> Recorded:
        flash, world = self._start(flow)
        before, base = world.copy(), flash.operations
        machine = Machine(flash, world)
        recording = record(flash, lambda: machine.live(flow.script), made.LAYOUT)
        return Recorded(flow, recording, before, world, base, flash.snapshot())

    def machine_after(self, name: str) -> Machine:
        """Return a unit at the end of a flow. Its broker has nothing new; its CoAP server does not answer."""
        recorded = self.recorded(name)
        flash, world = SimFlash(made.LAYOUT), recorded.after.copy()
        flash.restore(recorded.end)
        world.has_mqtt, world.has_coap = True, False
        world.starts += 500  # other random bytes than any start of the flow
        return Machine(flash, world)

    # one case ------------------------------------------------------------------------------------------------
    def state_after(self, name: str, case: Case) -> tuple[SimFlash, World]:
        """Return flash and world as the cut leaves them, from the recording."""
        recorded = self.recorded(name)
        world = recorded.after.copy(recorded.base + case.operation)
        flash = recorded.recording.flash_after(case)
        world.starts += 1000  # later starts get other random bytes than the run that was cut
        return flash, world

    def unit_after(self, name: str, seed: int) -> object:
        """Return everything that determines the unit's further life: its flash, and how many facts were known.

        The known facts are the beginning of the same list in every case of a flow, so their number is enough.
        """
        recorded = self.recorded(name)
        case = recorded.recording.case(seed)
        known = sum(item.operations < recorded.base + case.operation for item in recorded.after.history)
        return known, frozenset(recorded.recording.flash_after(case).snapshot().items())

    def state_after_rerun(self, name: str, case: Case) -> tuple[SimFlash, World]:
        """Return the same as state_after, from a real run with the cut in the flash driver, to verify recordings."""
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
        # Without the facts that tasks noted that were ready when the power was cut.
        return flash, world.copy(case.operation)

    def run_case(self, name: str, seed: int, *, is_rerun: bool = False) -> Findings:
        """Cut the flow as `seed` specifies, check the unit, run the flow to its end, check again."""
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
        except Exception as error:  # any other error keeps the unit from the flow's goal
            found.add(checks.BRICKED, f"{type(error).__name__}: {error}")
            return
        end = checks.check_at_rest(flash, world)
        found.counts.update(end.counts)
        found.texts += [f"at the end of the flow: {text}" for text in end.texts]
        for text in world.reused:
            found.add(checks.NONCE_REUSE, text)

    def describe(self, name: str, seed: int) -> str:
        """Return the case in words, beginning with the options that replay it."""
        recording = self.recorded(name).recording
        case = recording.case(seed)
        what = recording.operations[case.operation - 1]
        return f"--flow {name} --seed {seed} ({case.when} operation {case.operation} of {recording.total}, {what})"

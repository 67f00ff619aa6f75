"""Run flows, cut them at every operation, count the findings.

campaign = Campaign(bench)          each flow is recorded on first use
campaign.run_case("set-up", 17)     one cut: check the flash, the unit's access control and the end of the flow
"""

from __future__ import annotations

from device.update.slots import BootState
from simulator.ports.flash import PowerCut, SimFlash
from simulator.powercut import app_sets as _app_sets  # noqa: F401 - its flows are registered
from simulator.powercut import bench as made
from simulator.powercut import checks, lives
from simulator.powercut import home as _home  # noqa: F401 - its flows are registered
from simulator.powercut.checks import Findings
from simulator.powercut.engine import Case, record, tear_seed
from simulator.powercut.flows import FLOWS, Flow
from simulator.powercut.lives import Life, Recorded
from simulator.powercut.machine import Machine
from simulator.powercut.same import Judged, unit_digest
from simulator.powercut.world import World

Path = tuple[int, ...]  # the seed of a cut, then one of a cut in the recovery from it, and so on


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
        self.judged = Judged()
        self._recorded: dict[str, Recorded] = {}

    def copy(self, without: str) -> Campaign:
        """Return a campaign with the recordings of this one, except that of the flow `without`."""
        found = Campaign(self.bench)
        found._recorded = {name: one for name, one in self._recorded.items() if name != without}
        return found

    def recorded(self, name: str) -> Recorded:
        """Return the flow's run without a cut. Raises KeyError for an unknown flow, BrickedError if the flow fails."""
        if name not in self._recorded:
            self._recorded[name] = self._record(FLOWS[name])
        return self._recorded[name]

    def start(self, flow: Flow) -> tuple[SimFlash, World]:
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
        flash, world = self.start(flow)
        base = flash.operations
        machine = Machine(flash, world)
        recording = record(flash, lambda: machine.live(flow.script), made.LAYOUT)
        return Recorded(flow, recording, world, base, flash.snapshot())

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
        return state_after(self.recorded(name), case)

    def unit_after(self, name: str, seed: int) -> bytes:
        """Return a digest of everything that determines the unit's further life after this cut."""
        return unit_digest(*self.state_after(name, self.recorded(name).recording.case(seed)))

    def state_after_rerun(self, name: str, case: Case) -> tuple[SimFlash, World]:
        """Return the same as state_after, from a real run with the cut in the flash driver, to verify recordings."""
        flow = FLOWS[name]
        start, world = self.start(flow)
        flash = SimFlash(made.LAYOUT, seed=tear_seed(case))
        flash.restore(start.snapshot())
        flash.cut_at(case.operation, case.when, case.tear)
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
        if is_rerun:
            return self.judge(recorded.flow, *self.state_after_rerun(name, case)).found
        return self.judge(recorded.flow, *state_after(recorded, case)).found

    def judge(self, flow: Flow, flash: SimFlash, world: World, *, is_first: bool = True) -> Life:
        """Check a unit that a cut left, run the flow to its end, check again. Returns that life of the unit.

        `is_first`: it is the first cut of the flow, so the world outside changes as the flow says. `flash` and `world`
        are used up.
        """
        found = lives.at_rest(flash, world)
        if found.counts[checks.BRICKED]:
            return Life(found, None)
        if is_first:
            flow.rearrange(world)
        return lives.go_on(flow, flash, world, found, self.judged)

    def life_after(self, name: str, path: Path) -> tuple[Life, str]:
        """Return the unit's life after the cuts of `path`, and these cuts in words. Raises ValueError for no such cut.

        `path`: a seed of the flow, then one of each recovery.
        """
        recorded = self.recorded(name)
        life = self.judge(recorded.flow, *state_after(recorded, recorded.recording.case(path[0])))
        words = recorded.recording.describe(recorded.recording.case(path[0]))
        for seed in path[1:]:
            if life.recovery is None:
                raise ValueError("the unit does not start after the cut before")
            recording = life.recovery.recording
            words += "; then " + recording.describe(recording.case(seed))
            life = self.judge(
                recorded.flow, *state_after(life.recovery, recording.case(seed)), is_first=False
            )
        return life, words

    def describe(self, name: str, seed: int) -> str:
        """Return the case in words, beginning with the options that replay it."""
        recording = self.recorded(name).recording
        return f"--flow {name} --seed {seed} ({recording.describe(recording.case(seed))})"


def state_after(recorded: Recorded, case: Case) -> tuple[SimFlash, World]:
    """Return flash and world as this cut of a recorded run leaves them."""
    world = recorded.after.copy(recorded.base + case.operation)
    # What was known before a cut stays known: it comes before every operation of the unit's next life.
    world.history = [item._replace(operations=-1) for item in world.history]
    world.starts += 1000  # later starts get other random bytes than the run that was cut
    return recorded.recording.flash_after(case), world

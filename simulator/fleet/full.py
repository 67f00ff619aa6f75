"""The same unit in the full simulator: CPython's asyncio, littlefs in the bytes of the flash, every task, every tick.

It is simulator.powercut.machine.Machine in the world of a scenario. What it has in common with a unit of the fleet is
the scenario: chance (plan.py), the link (network.py), the maker's servers (servers.py). A fleet agrees with it event
for event (`compare`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, Final

from device.agent import unit
from device.agent.agent import Ports, run_async
from device.layout import RESET_POWER_ON, RESET_SOFTWARE, RESET_WATCHDOG
from device.limits import PBKDF2_MIN_ITERATIONS
from device.records.store import DEVICE
from provisioning.keys.signer import Signer
from simulator import boot as boot_rom
from simulator import virtual
from simulator.device import SimulatedMachine
from simulator.fleet.base import LAYOUT, Base, own_records, shared_records
from simulator.fleet.network import Path, UnitNetwork
from simulator.fleet.plan import Event, UnitPlan
from simulator.fleet.scenario import Scenario
from simulator.fleet.servers import newest_of
from simulator.fleet.shard import make_maker
from simulator.fleet.unit import HARDWARE_ID, WATCHDOG_S, Facts, arm, offered
from simulator.ports.clock import SimEntropy
from simulator.ports.flash import PowerCut, SimFlash
from simulator.ports.records import device_records, user_records
from simulator.powercut.machine import BUTTON_POLL_MS, Machine
from simulator.powercut.world import World
from simulator.tasks import end_tasks

NEAR_S: Final = 0.25  # asyncio rounds each of thousands of waits; the fleet's kernel does not


class LoopTiming:
    """network.Timing on the running asyncio loop, whose time is the unit's own."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.event = asyncio.Event

    @property
    def now(self) -> float:
        """The true time."""
        return asyncio.get_running_loop().time() / self._rate

    async def until(self, until_s: float, event: asyncio.Event) -> None:
        """Wait until the true time `until_s`, or until `event` is set."""
        if until_s == float("inf"):
            await event.wait()
            return
        try:
            await asyncio.wait_for(event.wait(), max(0.0, until_s - self.now) * self._rate)
        except TimeoutError:
            pass


class FullUnit(Machine):
    """One unit of a scenario in the full simulator. `signer`: the tracker's key, None for the real one."""

    def __init__(self, base: Base, scenario: Scenario, number: int, signer: Signer | None = None) -> None:
        self._plan = UnitPlan(scenario, number)
        super().__init__(_flash_of(base, scenario, self._plan), World(base.bench))
        self.events: list[Event] = []
        self._timing = LoopTiming(self._plan.rate)
        self._facts = Facts(self._plan, lambda: self._timing.now, self.events.append, base.numbers)
        self.console = SimpleNamespace(say=self._facts.note)  # type: ignore[assignment]
        tracker = signer or base.bench.ring.signer("tracker")
        self._maker = make_maker(scenario, base, self._timing, tracker, newest_of(base.class_id))
        self._path = Path(scenario, number, self._plan.region)
        self._starts = 0

    def connect(self) -> None:
        """Do nothing: each start gets its network from the scenario."""

    def run(self) -> list[Event]:
        """Run the scenario to its end and return the log of this unit."""
        poll_ms, vars(unit)["BUTTON_POLL_MS"] = vars(unit)["BUTTON_POLL_MS"], BUTTON_POLL_MS
        try:
            virtual.run(self._life())
        finally:
            vars(unit)["BUTTON_POLL_MS"] = poll_ms
        return self.events

    async def _life(self) -> None:
        end_s = float(self._plan.scenario.end_s)
        await self._sleep_until(self._plan.power_on_s)
        number = 0
        while self._timing.now < end_s:
            self._facts.note("power on")
            self.flash.power_on()
            cut_s = self._plan.next_cut_s(number, self._timing.now)
            is_over = await self._powered(end_s if cut_s is None else min(cut_s, end_s))
            if is_over and (cut_s is None or cut_s >= end_s):
                return
            number += 1
            self._facts.note("power cut")
            self.flash.cut_now()
            self.flash.on_operation = None
            await self._end_tasks()
            await self._sleep_until(self._timing.now + self._plan.scenario.power.off_s)

    async def _powered(self, until_s: float) -> bool:
        """Run the unit until the true time `until_s`; True. False if its flash lost power before."""
        running = asyncio.ensure_future(self._run_unit())
        left_s = (until_s - self._timing.now) * self._plan.rate
        done, _ = await asyncio.wait({running}, timeout=left_s)
        if done:
            try:
                running.result()
            except PowerCut:
                return False
            raise AssertionError("the entry point returned")
        self.flash.cut_now()
        await end_tasks({running})
        return True

    async def _run_unit(self) -> None:
        reason = RESET_POWER_ON
        while True:
            self._starts += 1
            handover = boot_rom.start(self.flash, LAYOUT, self._key_hashes, self._facts.note)
            if handover is None:
                await asyncio.Event().wait()
                return
            if handover.is_trial and self._plan.hangs(handover.info.version[3]):
                await self._sleep_until(self._timing.now + WATCHDOG_S)
                reason = RESET_WATCHDOG
                continue
            try:
                await run_async(await self._ports(handover, reason))
            except boot_rom.UnitReset:
                pass
            reason = RESET_SOFTWARE
            await self._end_tasks(asyncio.current_task())

    async def _sleep_until(self, true_s: float) -> None:
        await asyncio.sleep(max(0.0, true_s - self._timing.now) * self._plan.rate)

    async def _end_tasks(self, *kept: asyncio.Task[Any] | None) -> None:
        main = {task for task in asyncio.all_tasks() if task.get_coro().__qualname__.startswith("FullUnit.")}  # type: ignore[union-attr]
        await end_tasks(asyncio.all_tasks() - main - {asyncio.current_task()} - set(kept))
        if self._factory is not None:
            self._factory.ours.shut()
            self._factory = None

    async def _ports(self, handover: boot_rom.Handover, reason: int) -> Ports:
        ports = await SimulatedMachine._ports(self, handover, reason)
        board = SimpleNamespace(**{**vars(ports.board), "PBKDF2_ITERATIONS": PBKDF2_MIN_ITERATIONS})
        content = offered(self._maker, self._plan, self._facts, lambda cut: arm(self.flash, cut))
        changed: Ports = ports._replace(
            boot=boot_rom.BootPort(handover, reason, HARDWARE_ID, False, bool),
            clock=virtual.LoopClock(),
            entropy=SimEntropy(self._plan.entropy(self._starts)),
            network=UnitNetwork(self._path, self._timing, content),
            board=board,
        )
        return changed


def _flash_of(base: Base, scenario: Scenario, plan: UnitPlan) -> SimFlash:
    """Return the flash that a unit begins with, its records in littlefs."""
    flash = SimFlash(LAYOUT, seed=plan.number)
    flash.restore(base.flash)
    shared, own = shared_records(base, scenario), own_records(base, plan)
    for region, opened in zip(base.records, (device_records, user_records), strict=True):
        records = opened(flash, LAYOUT)
        records.mount()
        if region == DEVICE:
            records.write("servers", shared[region]["servers"])
        for name, data in own[region].items():
            records.write(name, data)
    return flash


def compare(fleet: Iterable[Event], full: Sequence[Event]) -> list[str]:
    """Return the differences between the log of a unit of the fleet and that of the full simulator, [] without one.

    The events and their order must be equal, and their times within NEAR_S.
    """
    ours = list(fleet)
    found: list[str] = []
    for mine, theirs in zip(ours, full, strict=False):
        if mine.text != theirs.text:
            return [*found, f"fleet: {mine.line()}full:  {theirs.line()}"]
        if abs(mine.time_us - theirs.time_us) > NEAR_S * 1e6:
            found.append(f"time: fleet: {mine.line()}full:  {theirs.line()}")
    if len(ours) != len(full):
        longer = ours if len(ours) > len(full) else full
        found.append(f"only one side has: {longer[min(len(ours), len(full))].line()}")
    return found

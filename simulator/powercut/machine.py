"""One unit of a campaign: the firmware's own agent in virtual time, with servers in memory and people as scripts.

The composition is that of simulator.device.SimulatedMachine (its ports, its boot ROM). It replaces the ports that
would make a run slow or not repeatable: the clock is the loop's, entropy follows from the number of starts, the
network and the factory line are in memory. The world keeps every fact that left the unit with the number of flash
operations at that moment, so that a campaign can select the facts that were known before a cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from device.agent import unit
from device.agent.agent import Ports, run_async
from device.errors import LinkError
from device.layout import RESET_POWER_ON, RESET_SOFTWARE
from device.limits import PBKDF2_MIN_ITERATIONS
from device.records.store import DEVICE, Store
from simulator import boot as boot_rom
from simulator import virtual
from simulator.device import SimulatedMachine
from simulator.ports.clock import SimEntropy
from simulator.ports.console import SimConsole
from simulator.ports.flash import PowerCut, SimFlash
from simulator.powercut import bench as made
from simulator.powercut.browser import Answer, encode_request
from simulator.powercut.errors import BrickedError
from simulator.powercut.pipe import FastPipe, PipeEnd
from simulator.powercut.releases import code_of
from simulator.powercut.servers import UnitServers
from simulator.powercut.world import Fact, World
from simulator.tasks import end_tasks

T = TypeVar("T")
MAX_STARTS = 40  # a unit that restarts more often in one flow never stops
BUTTON_POLL_MS = 10_000
MAX_FLOW_S = 4000.0  # virtual; the longest flow (three trials without a server) takes about 1000


class Machine(SimulatedMachine):
    """A unit with `flash` in `world`. `live(script)` powers it on until the script ends or the power is cut."""

    def __init__(self, flash: SimFlash, world: World) -> None:
        super().__init__(world.bench.folder, world.bench.key_hashes, made.LAYOUT)
        self._line.close()
        self._line = cast(Any, SimpleNamespace(open_unit=self._open_unit, close=lambda: None))
        self.console = SimConsole(Path(os.devnull))
        self.flash = flash
        self.world = world
        self.hardware_id = made.HARDWARE_ID
        self.slot = -1
        self.session = ""  # opened by the last sign-in; a restart ends it
        self._factory: FastPipe | None = None
        self.connect()
        self._pages: set[asyncio.Task[None]] = set()
        self._power_lost: asyncio.Event
        self.on_restart: Callable[[int], None] = lambda reason: None  # called before each start but the first

    # power ---------------------------------------------------------------------------------------------------
    def again(self) -> Machine:
        """Return the same unit after a power cut."""
        self.world.starts += 1
        self.flash.power_on()
        return Machine(self.flash, self.world)

    def live(self, script: Callable[[Machine], Awaitable[T]]) -> T:
        """Power on, run `script` beside the unit and return its result.

        Raises PowerCut if the power was cut, BrickedError, and every error of the agent or the script.
        """
        # No script presses the button. Polling it ten times a second would take half of a case's time.
        poll_ms, vars(unit)["BUTTON_POLL_MS"] = vars(unit)["BUTTON_POLL_MS"], BUTTON_POLL_MS
        try:
            return virtual.run(self._live(script))
        finally:
            vars(unit)["BUTTON_POLL_MS"] = poll_ms

    async def _live(self, script: Callable[[Machine], Awaitable[T]]) -> T:
        self._power_lost = asyncio.Event()
        running = asyncio.ensure_future(self._run_unit())
        outside = asyncio.ensure_future(script(self))
        lost = asyncio.ensure_future(self._power_lost.wait())
        self._outside = {running, outside, lost, asyncio.current_task()}
        try:
            done, _ = await asyncio.wait(
                {running, outside, lost}, timeout=MAX_FLOW_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not self.flash.is_powered:
                raise PowerCut(self.flash.operations)
            if outside in done:
                return outside.result()
            if running in done:
                running.result()
            raise BrickedError("the flow does not finish")
        finally:
            # Those that have ended too: an exception that nobody reads is logged at some later collection.
            await end_tasks((asyncio.all_tasks() - {asyncio.current_task()}) | {running, outside, lost})

    async def _run_unit(self) -> None:
        reason = RESET_POWER_ON
        for number in range(MAX_STARTS):
            if number:
                self.on_restart(reason)
            self.world.starts += 1
            handover = boot_rom.start(self.flash, self._layout, self._key_hashes, self.console.say)
            if handover is None:
                raise BrickedError("the boot ROM finds nothing to start")
            self.handover = handover
            self.slot = handover.slot
            self.network.is_down = self.world.is_down or (handover.is_trial and not self.world.serves_trials)
            try:
                with code_of(handover.info.version[0], self.world.changed_from):
                    await run_async(await self._ports(handover, reason))
            except boot_rom.UnitReset:
                pass
            reason = RESET_SOFTWARE
            await self._end_tasks()
        raise BrickedError("the unit restarts without end")

    async def _end_tasks(self) -> None:
        """End all tasks of the unit, as a reset does."""
        await end_tasks(asyncio.all_tasks() - self._outside)
        self.network.pages = None
        self.network.cut()
        if self._factory is not None:
            self._factory.ours.shut()
            self._factory = None

    async def _ports(self, handover: boot_rom.Handover, reason: int) -> Ports:
        # The parent's composition, so that a port that is added there is also here.
        ports = await super()._ports(handover, reason)
        board = SimpleNamespace(**{**vars(ports.board), "PBKDF2_ITERATIONS": PBKDF2_MIN_ITERATIONS})
        seed = b"start %d" % self.world.starts
        self.unit_clock = virtual.LoopClock()
        changed: Ports = ports._replace(
            clock=self.unit_clock, entropy=SimEntropy(seed), network=self.network, board=board
        )
        return changed

    async def _open_unit(self) -> PipeEnd:
        self._factory = FastPipe()
        return self._factory.ours

    # servers -------------------------------------------------------------------------------------------------
    def record_fact(self, what: str, value: object = True) -> None:
        """Record a fact that is known outside of the unit from now on."""
        self.world.history.append(Fact(self.flash.operations, what, value))

    def connect(self) -> None:
        """Replace the servers by new ones, as the world describes them now."""
        self.servers = UnitServers(self.world, self.record_fact)
        self.network = self.servers.network

    # what scripts use ----------------------------------------------------------------------------------------
    async def until(
        self,
        what: str,
        probe: Callable[[], Awaitable[T | None]],
        timeout_s: float = 600.0,
        pause_s: float = 0.25,
    ) -> T:
        """Return the first result of `probe` that is not None or False. Raises BrickedError after `timeout_s`."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while loop.time() < end_s:
            with contextlib.suppress(LinkError):
                found = await probe()
                if found is not None and found is not False:
                    return found
            await asyncio.sleep(pause_s)
        raise BrickedError(f"timed out waiting for {what}; the console printed: {self.console.text[-300:]!r}")

    async def request(
        self, method: str, path: str, form: dict[str, str] | None = None, session: str = ""
    ) -> Answer:
        """Send one request to the pages. Raises LinkError if the unit serves no pages or restarts before it answers."""
        if self.network.pages is None:
            raise LinkError(reason="connect: nobody answers")
        pipe = FastPipe()
        task = asyncio.ensure_future(self._serve(self.network.pages, pipe))
        self._pages.add(task)
        task.add_done_callback(self._pages.discard)
        await pipe.theirs.write(encode_request(method, path, form, session))
        raw = b""
        while part := await pipe.theirs.read(65536):
            raw += part
        return Answer.parse(raw)

    async def _serve(self, pages: Callable[[PipeEnd], Awaitable[None]], pipe: FastPipe) -> None:
        try:
            await pages(pipe.ours)
        except PowerCut:
            self._power_lost.set()
        finally:
            await pipe.ours.close()

    async def factory(self) -> PipeEnd | None:
        """Return the station's end of the factory line; None while the unit does not listen."""
        return self._factory.theirs if self._factory is not None else None

    def records(self) -> Store:
        """Return the device region, read from flash."""
        return Store(self._mount(DEVICE), DEVICE)

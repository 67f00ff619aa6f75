"""One unit of a fleet: the firmware's entry point (device/agent/agent.py) on a kernel, with shared flash and records.

Rules:
1. `run_async` runs as it is. Two of its tasks decide nothing and would wake each unit ten thousand times an hour: the
   one that feeds the watchdog, and the one that plays the light. They wait (`quiet`).
2. What leaves the unit becomes an event of the log: lines of its console, and reports.
3. A trial that hangs is ended by the watchdog after WATCHDOG_S.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final

from device.agent import agent
from device.agent.agent import Ports, run_async
from device.errors import FirstbootError
from device.layout import RESET_POWER_ON, RESET_SOFTWARE, RESET_WATCHDOG
from device.limits import PBKDF2_MIN_ITERATIONS
from device.suit import report
from simulator import boot as boot_rom
from simulator.apps import load_app
from simulator.fleet.base import LAYOUT, Base, own_records
from simulator.fleet.kernel import Kernel, Task
from simulator.fleet.network import Path, UnitNetwork
from simulator.fleet.plan import Event, SlotCut, UnitPlan
from simulator.fleet.records import SharedFlash, SharedRecords, shared
from simulator.fleet.servers import Maker, Offer
from simulator.ports.clock import TICKS_PERIOD, SimEntropy, Ticks
from simulator.ports.flash import PowerCut, SimFlash
from simulator.ports.peers import Content

WATCHDOG_S: Final = 20.0
FEED_S: Final = 86_400  # interfaces.Clock and uptime.py need a call every six days
HARDWARE_ID: Final = bytes(range(16))
BOARD: Final = SimpleNamespace(
    NAME="simulator",
    PBKDF2_ITERATIONS=PBKDF2_MIN_ITERATIONS,
    IS_DEVELOPMENT=False,
    HAS_BUTTON=False,
    HOST_NAMES=("localhost",),
)

Log = Callable[[Event], None]


class KernelClock(Ticks):
    """device.interfaces.Clock of a unit on a kernel; it runs at the unit's own rate."""

    def __init__(self, kernel: Kernel, rate: float) -> None:
        self._kernel = kernel
        self._rate = rate

    def ticks_ms(self) -> int:
        """Return the unit's milliseconds, modulo 2**30."""
        return int(self._kernel.now * self._rate * 1000) % TICKS_PERIOD

    def set_trusted_time(self, unix_s: int | None) -> None:
        """Do nothing: no certificate is checked."""


class KernelTiming:
    """network.Timing on a kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.event = kernel.Event
        self.until = kernel.until

    @property
    def now(self) -> float:
        """The true time."""
        return self._kernel.now


class Silent:
    """A factory line on which nobody speaks, and a light that nobody sees."""

    def __init__(self, event: Any) -> None:
        """`event`: an asyncio.Event that nobody sets, of the unit's asyncio."""
        self._event = event

    async def read(self, limit: int) -> bytes:
        """Wait forever."""
        await self._event.wait()
        return b""

    def set(self, is_on: bool) -> None:
        """Do nothing."""


@lru_cache(10_000)
def _report(data: bytes) -> report.Report:
    """Return a report. Many units send equal ones; nobody changes what is returned."""
    return report.decode(data)


class Facts:
    """The facts that the world outside knows of one unit, here and in the full simulator: its log, its slot cuts."""

    def __init__(
        self, plan: UnitPlan, now: Callable[[], float], log: Log, numbers: Mapping[bytes, int]
    ) -> None:
        """`numbers`: of the releases, by the digest of their manifests."""
        self._numbers = numbers
        self._plan = plan
        self._now = now
        self._log = log
        self._count = 0
        self._cuts_done: set[int] = set()

    def note(self, text: str) -> None:
        """Add an event."""
        self._count += 1
        self._log(Event(int(self._now() * 1e6), self._plan.number, self._count, text))

    def reported(self, data: bytes) -> None:
        """Note a report that reached the maker."""
        found = _report(bytes(data))
        extra = ",".join(f"{key}={found.extensions[key]!r}" for key in sorted(found.extensions, reverse=True))
        restart = " restarts" if found.is_restarting else ""
        about = self._about(found.reference.digest)
        self.note(
            f"report: release {found.sequence}, error {found.error_code}{restart} about {about} [{extra}]"
        )

    def _about(self, digest: bytes) -> str:
        """Return what a report is about. The digest itself follows from the keys of this machine, so no log has it."""
        if not digest:
            return "nothing"
        number = self._numbers.get(digest)
        return "another" if number is None else f"release {number}"

    def installs(self, release: int) -> SlotCut | None:
        """Return the power cut of an install that begins now; each release has one at most."""
        if release in self._cuts_done:
            return None
        self._cuts_done.add(release)
        return self._plan.slot_cut(release)


def arm(flash: SimFlash, cut: SlotCut) -> None:
    """Cut the power at a flash operation in the slots."""
    left = cut.operation
    spans = [(start, start + LAYOUT.slot_bytes) for start in LAYOUT.slot_offsets]

    def count(kind: str, offset: int, length: int) -> None:
        nonlocal left
        if any(start <= offset < end for start, end in spans):
            left -= 1
            if left == 0:
                flash.on_operation = None
                flash.cut_at(1, cut.when)

    flash.on_operation = count


def offered(maker: Maker, plan: UnitPlan, facts: Facts, cut: Callable[[SlotCut], None]) -> Content:
    """Return what a unit's broker serves and takes. `cut` plans the power cut of an install that begins."""

    def asked(name: str) -> None:
        release = maker.release_of(name)
        planned = facts.installs(release) if release else None
        if planned is not None:
            cut(planned)

    return Content(
        maker.class_id,
        lambda request: maker.freshness_for(plan, request),
        facts.reported,
        Offer(maker, plan.region.name, asked),  # type: ignore[arg-type]  # it is read only
    )


class FleetUnit:
    """A unit of the fleet. `rate`, `tasks`, `ended`: it is a kernel's host."""

    __slots__ = (
        "_base",
        "_cuts",
        "_facts",
        "_flash",
        "_kernel",
        "_maker",
        "_own",
        "_path",
        "_plan",
        "_records",
        "_starts",
        "_wanted_reason",
        "rate",
        "tasks",
    )

    def __init__(
        self,
        kernel: Kernel,
        maker: Maker,
        base: Base,
        records: Mapping[str, Mapping[str, bytes]],
        plan: UnitPlan,
        log: Log,
    ) -> None:
        """`records`: what all units of the scenario begin with (base.shared_records)."""
        self._kernel = kernel
        self._maker = maker
        self._base = base
        self._records = records
        self._plan = plan
        self._facts = Facts(plan, lambda: kernel.now, log, base.numbers)
        self._flash = SharedFlash(LAYOUT, seed=plan.number)
        self._flash.restore(base.sectors)
        self._own: dict[str, dict[str, bytes | None]] = {
            region: {name: shared(data) for name, data in own.items()}
            for region, own in own_records(base, plan).items()
        }
        self._path = Path(plan.scenario, plan.number, plan.region)
        self._starts = 0
        self._cuts = 0
        self._wanted_reason = RESET_POWER_ON
        self.rate = plan.rate
        self.tasks: set[Task] = set()
        self._later(plan.power_on_s, self._power_on)

    # power ---------------------------------------------------------------------------------------------------
    def _later(self, at_s: float, do: Callable[[], None]) -> None:
        """Call `do` at a true time. It belongs to the world: no restart of the unit ends it."""
        World(self._kernel).begin(at_s, do)

    def _power_on(self) -> None:
        self._facts.note("power on")
        self._flash.power_on()
        cut_s = self._plan.next_cut_s(self._cuts, self._kernel.now)
        if cut_s is not None:
            number = self._cuts
            self._later(cut_s, lambda: self._power_off() if self._cuts == number else None)
        self._start(RESET_POWER_ON)

    def _power_off(self) -> None:
        self._facts.note("power cut")
        self._cuts += 1
        self._flash.cut_now()
        self._flash.on_operation = None
        self._kill()
        self._later(self._kernel.now + self._plan.scenario.power.off_s, self._power_on)

    def _kill(self) -> None:
        """End every task, as a reset does."""
        tasks, self.tasks = self.tasks, set()
        for task in tasks:
            task.kill()

    def _start(self, reason: int) -> None:
        """Start once through the boot ROM."""
        self._starts += 1
        try:
            handover = boot_rom.start(self._flash, LAYOUT, self._base.bench.key_hashes, self._facts.note)
        except PowerCut:
            self._power_off()
            return
        if handover is None:
            return  # the ROM waits for its watchdog, finds nothing again, and so on
        if handover.is_trial and self._plan.hangs(handover.info.version[3]):
            cuts, starts = self._cuts, self._starts
            self._later(
                self._kernel.now + WATCHDOG_S,
                lambda: self._start(RESET_WATCHDOG) if (self._cuts, self._starts) == (cuts, starts) else None,
            )
            return
        self._kernel.spawn(self, run_async(self._ports(handover, reason)), self._returned)

    def _returned(self, error: Exception | None) -> None:
        """The entry point never returns."""
        raise RuntimeError(f"unit {self._plan.number} ended") from error

    def ended(self, error: BaseException) -> None:
        """A reset of the unit or a loss of power ended a task. Any other error is a defect of the firmware."""
        if isinstance(error, boot_rom.UnitReset):
            self._kill()
            self._start(RESET_SOFTWARE)
        elif not self._flash.is_powered:
            self._power_off()
        elif isinstance(error, FirstbootError):
            self._facts.note(f"a task ended: {error.describe()}")
        else:
            raise error

    # ports ---------------------------------------------------------------------------------------------------
    def _ports(self, handover: boot_rom.Handover, reason: int) -> Ports:
        kernel, facts = self._kernel, self._facts
        content = offered(self._maker, self._plan, facts, lambda cut: arm(self._flash, cut))
        silent = Silent(kernel.Event())
        return Ports(
            flash=self._flash,
            layout=LAYOUT,
            boot=boot_rom.BootPort(handover, reason, HARDWARE_ID, False, bool),
            clock=KernelClock(kernel, self.rate),
            entropy=SimEntropy(self._plan.entropy(self._starts)),
            network=UnitNetwork(self._path, KernelTiming(kernel), content),
            factory_stream=silent,
            mount=self._mount,
            format=lambda region: self._mount(region).format(),
            say=facts.note,
            memory=dict,
            indicator=silent,
            key_store=None,
            load_app=load_app,
            wifi=None,
            improv=None,
            board=BOARD,
        )

    def _mount(self, region: str) -> SharedRecords:
        return SharedRecords(self._flash, self._records[region], self._own[region])


class World:
    """The host of what happens around units."""

    rate = 1.0

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.tasks: set[Task] = set()

    def begin(self, at_s: float, do: Callable[[], None]) -> None:
        """Call `do` at a true time."""

        async def wait() -> None:
            await self._kernel.until(at_s, self._kernel.Event())
            do()

        self._kernel.spawn(self, wait())

    def ended(self, error: BaseException) -> None:
        """Raise: nothing around a unit may fail."""
        raise error


@contextmanager
def quiet(forever: Callable[[], Awaitable[object]]) -> Iterator[None]:
    """Let the tasks that decide nothing wait (rule 1). `forever()` waits on the units' asyncio, without an end."""
    before = {name: vars(agent)[name] for name in ("_FEED_INTERVAL_S", "_sleep_ms")}

    async def wait(length_ms: int) -> None:
        await forever()

    changed: dict[str, Any] = {"_FEED_INTERVAL_S": FEED_S, "_sleep_ms": wait}
    vars(agent).update(changed)
    try:
        yield
    finally:
        vars(agent).update(before)

"""A live fleet: the firmware of many units in one process, with real sockets and TLS, against a real broker.

Rules:
1. Each unit runs the firmware's entry point on asyncio, with a device id, key and certificate of its own. Flash and
   records are those of the virtual fleet (unit.py), and so are the two tasks that wait. The pages do not listen.
2. Time is the machine's. So a run shows what one machine does with so many units at once; it repeats nothing exactly.
3. A unit that ends is a fault of the run: nothing is published that a unit could install.
4. asyncio gives each TLS connection a buffer of 256 KiB. Here it has BUFFER_BYTES: it is filled as often as necessary.
"""

from __future__ import annotations

import asyncio
import gc
import time
from asyncio import sslproto
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from device.agent.agent import Ports, run_async
from device.errors import FirstbootError, LinkError
from device.layout import RESET_POWER_ON
from device.ports.host import HostClock, HostEntropy, HostNetwork, HostStream
from device.records.store import DEVICE, USER
from device.transport.mqtt import MqttSource
from provisioning import fair_time
from simulator import boot as boot_rom
from simulator.apps import load_app
from simulator.fleet import unit as units
from simulator.fleet.base import LAYOUT, Base, own_records
from simulator.fleet.errors import FleetError, MachineLimitError
from simulator.fleet.live_found import Connections, Storm
from simulator.fleet.live_maker import LiveMaker, own_device_records
from simulator.fleet.plan import UnitPlan
from simulator.fleet.records import SharedFlash, SharedRecords
from simulator.fleet.scenario import Scenario
from simulator.fleet.shard_process import resident_bytes
from simulator.fleet.unit import BOARD, HARDWARE_ID, Silent
from simulator.ports.network import MemoryServer
from simulator.tasks import end_tasks

AT_ONCE: Final = 32  # handshakes that are under way while connections are counted
FILES_BESIDE: Final = 200  # open files of a process besides one for each unit
BUFFER_BYTES: Final = 4096
LOOK_S: Final = 0.05
RETURN_S: Final = 120.0  # after the longest pause of a unit: for a fleet that all comes at once


class Tally:
    """The connections and reports of a fleet so far; times as time.monotonic() gives them."""

    def __init__(self) -> None:
        self.connects: list[tuple[float, int]] = []  # time and unit
        self.failed: list[float] = []
        self.reports: list[
            tuple[float, str]
        ] = []  # time and device id in hex; a thread of the tracker adds to it

    def reported(self, device: str) -> None:
        """Note a report that reached the tracker."""
        self.reports.append((time.monotonic(), device))

    def first_reports(self, since_s: float) -> dict[str, float]:
        """Return the seconds from `since_s` to the first report after it, for each device that sent one."""
        found: dict[str, float] = {}
        for at_s, device in list(self.reports):
            if at_s >= since_s:
                found.setdefault(device, at_s - since_s)
        return found


class LiveNetwork(HostNetwork):
    """The host's network of one unit. It counts connections; the pages do not listen."""

    def __init__(self, clock: HostClock, number: int, tally: Tally) -> None:
        super().__init__(clock.trusted_time)
        self._number = number
        self._tally = tally

    async def open_tls(
        self, host: str, port: int, name: str, ca_der: bytes, cert_der: bytes, key_der: bytes
    ) -> HostStream:
        """As HostNetwork.open_tls."""
        try:
            stream = await super().open_tls(host, port, name, ca_der, cert_der, key_der)
        except LinkError:
            self._tally.failed.append(time.monotonic())
            raise
        self._tally.connects.append((time.monotonic(), self._number))
        return stream

    async def serve_tls(
        self, port: int, cert_der: bytes, key_der: bytes, handler: Callable[[Any], Awaitable[None]]
    ) -> Any:
        """Keep the handler of the pages; nobody connects."""
        return MemoryServer(handler)


class LiveFleet:
    """`count` units and their maker. Use `opened`; then `connections` and `storm`, each at most once.

    Raises FleetError if a unit ends, or if units do not come back in time.
    """

    def __init__(self, base: Base, maker: LiveMaker, tally: Tally, count: int, check_interval_s: int) -> None:
        self._base = base
        self._maker = maker
        self._tally = tally
        self._check_interval_s = check_interval_s
        self._plans = [UnitPlan(Scenario(0, count, 1), number) for number in range(count)]
        self._keys = [maker.issue(plan.device_id) for plan in self._plans]
        self._records = {region: dict(base.records[region]) for region in (DEVICE, USER)}
        self._running: list[asyncio.Task[None]] = []

    async def connections(self) -> Connections:
        """Open one connection of each unit with the firmware's transport, and hold all of them at the same time."""
        clock = HostClock()
        network = HostNetwork(clock.trusted_time)
        sources = [
            MqttSource(network, clock, self._maker.peer(key), self._base.class_id, plan.device_id)
            for plan, key in zip(self._plans, self._keys, strict=True)
        ]
        places = asyncio.Semaphore(AT_ONCE)

        async def opened(source: MqttSource) -> None:
            async with places:
                await source.open()

        await self._warm_up(sources[0])
        gc.collect()
        before, broker_before = resident_bytes(), self._maker.broker_bytes()
        began_s, cpu_s = time.monotonic(), time.process_time()
        try:
            await asyncio.gather(*[opened(source) for source in sources])
            wall_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
            gc.collect()
            used, broker_used = resident_bytes() - before, self._maker.broker_bytes() - broker_before
        except FirstbootError as error:
            raise FleetError(f"a unit could not connect: {error.describe()}") from None
        finally:
            await asyncio.gather(*[source.close() for source in sources])
        return Connections(len(sources), wall_s, cpu_s, used, broker_used)

    @staticmethod
    async def _warm_up(source: MqttSource) -> None:
        """Connect once, so that what a process and a broker need once is not counted. Raises FleetError."""
        try:
            await source.open()
        except FirstbootError as error:
            raise FleetError(f"a unit could not connect: {error.describe()}") from None
        finally:
            await source.close()

    async def storm(self, outage_s: float) -> Storm:
        """Let all units run, stop the servers for `outage_s`, start them again, and return how the units come back.

        Raises FleetError, ServerError.
        """
        count = len(self._plans)
        self._records[DEVICE]["servers"] = self._maker.servers_record(self._check_interval_s)
        began_s = time.monotonic()
        async with self._powered():
            await self._until_all_reported(began_s)
            await asyncio.to_thread(self._maker.stop)
            stopped_s = time.monotonic()
            await self._watched(outage_s)
            back_s = time.monotonic()
            await asyncio.to_thread(self._maker.start)
            returned = await self._until_all_reported(back_s)
        failed = sum(at_s >= stopped_s for at_s in self._tally.failed)
        connects = sorted(at_s - back_s for at_s, _ in self._tally.connects if at_s >= back_s)
        numbers = {plan.device_id.hex(): plan.number for plan in self._plans}
        by_number = {numbers[device]: at_s for device, at_s in returned.items()}
        return Storm(count, outage_s, self._check_interval_s, failed, connects, by_number)

    async def _until_all_reported(self, since_s: float) -> dict[str, float]:
        """Return the time of the first report of each unit since then. Raises FleetError if one is missing for long."""
        end_s = fair_time.now() + self._check_interval_s * 1.1 + RETURN_S
        while len(found := self._tally.first_reports(since_s)) < len(self._plans):
            if fair_time.now() >= end_s:
                raise FleetError(
                    f"{len(self._plans) - len(found)} of {len(self._plans)} units did not report"
                )
            await self._watched(LOOK_S)
        return found

    async def _watched(self, seconds: float) -> None:
        """Wait. Raises FleetError at once if a unit ends (rule 3)."""
        done, _ = await asyncio.wait(self._running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            raise FleetError(f"a unit ended: {task.exception()!r}")

    @asynccontextmanager
    async def _powered(self) -> AsyncIterator[None]:
        """Run every unit; all their tasks end at the end."""
        others = asyncio.all_tasks()
        with units.quiet(lambda: asyncio.Event().wait()):
            self._running = [asyncio.create_task(self._run(number)) for number in range(len(self._plans))]
            try:
                yield
            finally:
                await end_tasks({*self._running, *(asyncio.all_tasks() - others)})  # also one that has failed

    async def _run(self, number: int) -> None:
        """Start one unit and run its firmware."""
        plan, base = self._plans[number], self._base
        flash = SharedFlash(LAYOUT, seed=number)
        flash.restore(base.sectors)
        handover = boot_rom.start(flash, LAYOUT, base.bench.key_hashes, lambda text: None)
        if handover is None:
            raise FleetError(f"unit {number} does not start")
        own: dict[str, dict[str, bytes | None]] = {
            region: dict(records) for region, records in own_records(base, plan).items()
        }
        own[DEVICE].update(own_device_records(self._keys[number]))
        clock, silent = HostClock(), Silent(asyncio.Event())

        def mount(region: str) -> SharedRecords:
            return SharedRecords(flash, self._records[region], own[region])

        await run_async(
            Ports(
                flash=flash,
                layout=LAYOUT,
                boot=boot_rom.BootPort(handover, RESET_POWER_ON, HARDWARE_ID, False, bool),
                clock=clock,
                entropy=HostEntropy(),
                network=LiveNetwork(clock, number, self._tally),
                factory_stream=silent,
                mount=mount,
                format=lambda region: mount(region).format(),
                say=lambda text: None,
                memory=dict,
                indicator=silent,
                key_store=None,
                load_app=load_app,
                wifi=None,
                improv=None,
                board=BOARD,
            )
        )


async def run(
    base: Base, folder: Path, count: int, check_interval_s: int, outage_s: float
) -> tuple[Connections, Storm]:
    """Run a live fleet with servers of its own in `folder`. Raises FleetError, ServerError, PublishError."""
    tally = Tally()
    make_room(count)
    maker = LiveMaker(base, folder, tally.reported)
    async with AsyncExitStack() as stack:
        stack.enter_context(small_buffers())
        stack.push_async_callback(asyncio.to_thread, maker.stop)
        await asyncio.to_thread(maker.start)
        await asyncio.to_thread(maker.publish)
        fleet = LiveFleet(base, maker, tally, count, check_interval_s)
        return await fleet.connections(), await fleet.storm(outage_s)


@contextmanager
def small_buffers() -> Iterator[None]:
    """Let the TLS connections of this process that are opened inside use small buffers (rule 4)."""
    kind: Any = sslproto.SSLProtocol
    before, kind.max_size = kind.max_size, BUFFER_BYTES
    try:
        yield
    finally:
        kind.max_size = before


def make_room(count: int) -> None:
    """Let this process, and the broker that it starts, open a file for each unit. Raises MachineLimitError."""
    import resource  # Unix only, as mosquitto's configuration here

    wanted = count + FILES_BESIDE
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and wanted > most:
        raise MachineLimitError(f"{count} units need {wanted} open files, and this process may have {most}")
    if now != resource.RLIM_INFINITY and wanted > now:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))

"""One unit of a campaign: the firmware's own agent in virtual time, with servers in memory and people as scripts.

The same composition as simulator.device.SimulatedMachine (its ports, its boot ROM), with the ports exchanged that
would make a run slow or different each time: the clock is the loop's, entropy follows from the number of starts, the
network and the factory line are in memory. What a unit told the outside is kept with the number of flash operations
at that moment, so that a campaign knows what had been promised before a cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar, cast

from device.agent import unit
from device.agent.agent import Ports, run_async
from device.codec import cbor
from device.errors import LinkError
from device.layout import RESET_POWER_ON, RESET_SOFTWARE
from device.limits import PBKDF2_MIN_ITERATIONS
from device.net import oscore
from device.records.store import DEVICE, Store
from provisioning.servers.tracker import Newest, Tracker
from simulator import boot as boot_rom
from simulator import virtual
from simulator.device import SimulatedMachine
from simulator.ports.clock import SimEntropy
from simulator.ports.console import SimConsole
from simulator.ports.flash import PowerCut, SimFlash
from simulator.ports.network import MemoryNetwork, MemoryServer
from simulator.ports.peers import Content, MemoryBroker, MemoryCoapServer
from simulator.powercut import bench as made
from simulator.powercut.pipe import FastPipe, PipeEnd
from simulator.powercut.releases import code_of

T = TypeVar("T")
MAX_STARTS = 40  # a unit that restarts more often in one flow does so for ever
BUTTON_POLL_MS = 10_000
MAX_FLOW_S = 4000.0  # virtual; the longest flow (three trials without a server) takes about 1000


class BrickedError(AssertionError):
    """Nothing boots, or it restarts for ever, or the flow does not come to its end."""


class OpenedError(AssertionError):
    """Somebody got in who had no right to."""


class LostError(AssertionError):
    """Something that the unit had promised to the outside does not hold any more."""


class Told(NamedTuple):
    """Something that left the unit after `operations` flash operations."""

    operations: int
    what: str
    value: object


class _Network(MemoryNetwork):
    """Keeps the handler of the pages, so that a script can be a browser."""

    pages: Callable[[PipeEnd], Awaitable[None]] | None = None

    async def serve_tls(self, port: int, cert_der: bytes, key_der: bytes, handler: Any) -> MemoryServer:
        """Take the unit's pages."""
        self.pages = handler
        return MemoryServer(handler)


@dataclass
class World:
    """What is outside of the unit and lives through its power cuts."""

    bench: made.Bench
    told: list[Told] = field(default_factory=list)
    numbers: dict[int, bytes] = field(default_factory=dict)  # OSCORE sender numbers seen
    nonces: set[bytes] = field(default_factory=set)  # of freshness requests
    reused: list[str] = field(default_factory=list)
    published: dict[str, bytes] = field(default_factory=dict)
    has_mqtt: bool = True
    has_coap: bool = True
    serves_trials: bool = True  # False: servers are gone while an image is on trial
    starts: int = 0
    changed_from: int | None = None  # releases from this one on have records of another form (releases.py)
    is_down: bool = False  # nobody answers

    def copy(self, operations: int | None = None) -> World:
        """This world as it was when the unit had done fewer than `operations` flash operations (None: now)."""
        told = [item for item in self.told if operations is None or item.operations < operations]
        numbers = {item.value[0]: item.value[1] for item in told if item.what == "number"}  # type: ignore[index]
        nonces = {item.value for item in told if item.what == "nonce"}
        return World(
            self.bench,
            told,
            numbers,
            nonces,  # type: ignore[arg-type]
            [],
            dict(self.published),
            self.has_mqtt,
            self.has_coap,
            self.serves_trials,
            self.starts,
            self.changed_from,
        )

    def facts(self) -> dict[str, object]:
        """The last value that was told under each name."""
        return {item.what: item.value for item in self.told}

    def publish(self, number: int) -> None:
        """Put a release where units look for one."""
        content = Content(self.bench.product.class_id, lambda request: None)
        content.put_release(self.bench.releases[number])
        self.published.update(content.published)


class Machine(SimulatedMachine):
    """A unit with `flash` in `world`. `live(script)` powers it on until the script ends or the power goes."""

    def __init__(self, flash: SimFlash, world: World) -> None:
        super().__init__(world.bench.folder, world.bench.key_hashes, made.LAYOUT)
        self._line.close()
        self._line = cast(Any, SimpleNamespace(open_unit=self._open_unit, close=lambda: None))
        self.console = SimConsole(Path(os.devnull))
        self.flash = flash
        self.world = world
        self.hardware_id = made.HARDWARE_ID
        self.slot = -1
        self.session = ""  # of the script that signed in last; a restart ends it
        self._factory: FastPipe | None = None
        self.network = self._make_network()
        self._pages: set[asyncio.Task[None]] = set()
        self._power_lost: asyncio.Event

    # power ---------------------------------------------------------------------------------------------------
    def again(self) -> Machine:
        """The same unit after a power cut."""
        self.world.starts += 1
        self.flash.power_on()
        return Machine(self.flash, self.world)

    def live(self, script: Callable[[Machine], Awaitable[T]]) -> T:
        """Power on, run `script` beside the unit, give what it gives.

        Raises PowerCut when the power went meanwhile, BrickedError, and what the agent or the script raise.
        """
        # Nobody presses the button here; looked at ten times a second it would be half of what a case costs.
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
            raise BrickedError("the flow does not come to its end")
        finally:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            with contextlib.suppress(BaseException):
                await asyncio.gather(running, outside, lost, return_exceptions=True)

    async def _run_unit(self) -> None:
        reason = RESET_POWER_ON
        for _ in range(MAX_STARTS):
            self.world.starts += 1
            handover = boot_rom.start(self.flash, self._layout, self._key_hashes, self.console.say)
            if handover is None:
                raise BrickedError("the boot ROM starts nothing")
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
        raise BrickedError("it restarts for ever")

    async def _end_tasks(self) -> None:
        """A reset ends everything that ran on the unit."""
        left = asyncio.all_tasks() - self._outside
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        self.network.pages = None
        self.network.cut()
        if self._factory is not None:
            self._factory.ours.shut()
            self._factory = None

    async def _ports(self, handover: boot_rom.Handover, reason: int) -> Ports:
        # The parent's composition, so that a port that is added there is here too.
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
    def tell(self, what: str, value: object = True) -> None:
        """Note that this left the unit, or was learnt from it, now."""
        self.world.told.append(Told(self.flash.operations, what, value))

    def _make_network(self) -> _Network:
        world = self.world
        content = Content(
            world.bench.product.class_id,
            self._freshness,
            lambda data: self.tell("report", data),
            world.published,
        )
        self._tracker = Tracker(
            world.bench.ring.signer("tracker"),
            {world.bench.product.class_id: Newest()},
            now=lambda: world.bench.now_s,
        )
        self.coap: MemoryCoapServer | None = None
        if world.has_coap:
            fields = cbor.decode(world.bench.station_record("oscore", {}))
            credentials = oscore.Credentials(fields[1], fields[2], fields[3], fields[4])
            self.coap = MemoryCoapServer(content, credentials, seen=world.numbers, on_number=self._number)
        return _Network(
            stream_peer=MemoryBroker(content) if world.has_mqtt else None, datagram_peer=self.coap
        )

    def _number(self, number: int, digest: bytes) -> None:
        if self.world.numbers.get(number, digest) != digest:
            self.world.reused.append(f"OSCORE sender number {number}")
        self.tell("number", (number, digest))

    def _freshness(self, request: bytes) -> bytes:
        nonce = cbor.decode(request)[1]
        if nonce in self.world.nonces:
            self.world.reused.append("freshness nonce")
        self.world.nonces.add(nonce)
        self.tell("nonce", nonce)
        self._tracker.classes[self.world.bench.product.class_id].raise_to(
            manifest=max(self.world.bench.releases)
        )
        return self._tracker.answer(request)

    # what scripts use ----------------------------------------------------------------------------------------
    async def until(
        self,
        what: str,
        probe: Callable[[], Awaitable[T | None]],
        timeout_s: float = 600.0,
        pause_s: float = 0.25,
    ) -> T:
        """What `probe` gives once that is neither None nor False. Raises BrickedError after virtual `timeout_s`."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while loop.time() < end_s:
            with contextlib.suppress(LinkError):
                found = await probe()
                if found is not None and found is not False:
                    return found
            await asyncio.sleep(pause_s)
        raise BrickedError(f"waited in vain for {what}; the console said: {self.console.text[-300:]!r}")

    async def request(
        self, method: str, path: str, form: dict[str, str] | None = None, session: str = ""
    ) -> Answer:
        """One request to the pages. Raises LinkError where the unit does not serve or restarts meanwhile."""
        if self.network.pages is None:
            raise LinkError(reason="connect: nobody answers")
        pipe = FastPipe()
        task = asyncio.ensure_future(self._serve(self.network.pages, pipe))
        self._pages.add(task)
        task.add_done_callback(self._pages.discard)
        body = urllib.parse.urlencode(form or {}).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAccept: application/json\r\n"
        if session:
            head += f"Cookie: session={session}\r\n"
        if form is not None:
            head += "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n"
            head += f"Content-Length: {len(body)}\r\n"
        await pipe.theirs.write(head.encode() + b"\r\n" + (body if form is not None else b""))
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
        """The station's end of the line, None while the unit does not listen."""
        return self._factory.theirs if self._factory is not None else None

    def records(self) -> Store:
        """The device region as a flash reader sees it."""
        return Store(self._mount(DEVICE), DEVICE)


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Answer:
        """Raises LinkError for what is no whole answer."""
        head, found, body = raw.partition(b"\r\n\r\n")
        if not found:
            raise LinkError(reason="read: end of stream")
        lines = head.decode().split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])
        }
        return cls(int(lines[0].split()[1]), headers, body)

    @property
    def session(self) -> str:
        """The session that the answer opens, "" where it opens none."""
        cookie = self.headers.get("set-cookie", "").partition(";")[0]
        name, _, value = cookie.partition("=")
        return value if name == "session" else ""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

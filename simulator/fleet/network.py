"""The link between a unit and its broker: delay, loss, outages of a region and forgetful NATs. There is no TLS.

The same code serves a unit of the fleet and one of the full simulator: `timing` hides whose asyncio runs. A link
decides by chance.py, so both meet the same losses.

Rules:
1. TCP repeats a lost segment after 1, 2, 4 ... seconds. A connection whose segment is lost MAX_LOST times in a row
   is dead: nothing arrives any more, and nobody reports it.
2. During an outage nobody answers a new connection, and what is sent over an old one is lost, which makes it dead.
3. After `nat_timeout_s` without a byte the NAT has forgotten the connection; it is dead from then on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from device.errors import LinkError
from simulator.fleet import chance
from simulator.fleet.scenario import Region, Scenario
from simulator.ports.network import MemoryServer
from simulator.ports.peers import Content, MemoryBroker
from simulator.ports.queue import ExactReads

MAX_LOST: Final = 6
FIRST_REPEAT_S: Final = 1.0
ROUNDING_S: Final = 1e-6  # asyncio's loop rounds the end of a wait


class Timing(Protocol):
    """True time, and waiting, on the unit's asyncio."""

    @property
    def now(self) -> float:
        """Seconds since the beginning of the run."""

    def event(self) -> Any:
        """Return an asyncio.Event of that asyncio."""

    async def until(self, until_s: float, event: Any) -> None:
        """Wait until the true time `until_s` (infinity: forever), or until `event` is set."""


class Path:
    """The way of one unit to its servers. `sent` counts segments, so that each has a fate of its own."""

    def __init__(self, scenario: Scenario, unit: int, region: Region) -> None:
        self._scenario = scenario
        self._losses = chance.Numbered(scenario.seed, unit, "segment")
        self._region = region
        self.delay_s = (scenario.link.delay_ms + region.delay_ms) / 1000
        self.sent = 0

    def is_down(self, now_s: float) -> bool:
        """Return whether the region has an outage now."""
        return any(span.covers(self._region.name, now_s) for span in self._scenario.outages)

    def is_forgotten(self, idle_s: float) -> bool:
        """Return whether the NAT has forgotten a connection that was idle for so long."""
        return 0 < self._scenario.link.nat_timeout_s < idle_s

    def late_s(self) -> float | None:
        """Return how much later than without loss the next segment arrives, None if never (rule 1)."""
        loss = self._scenario.link.loss
        late_s, repeat_s = 0.0, FIRST_REPEAT_S
        for _ in range(MAX_LOST):
            self.sent += 1
            if not self._losses.happens(loss, self.sent):
                return late_s
            late_s += repeat_s
            repeat_s *= 2
        return None


class PathStream(ExactReads):
    """The unit's end of a connection; implements device.interfaces.Stream."""

    def __init__(self, path: Path, timing: Timing, broker: MemoryBroker) -> None:
        self._path = path
        self._timing = timing
        self._arriving: deque[tuple[float, bytes]] = deque()
        self._has_some = timing.event()
        self._last_s = timing.now
        self._is_dead = False
        self._is_closed = False
        self._answers: list[bytes] = []
        self._handler = broker.connect(self._answers.append)

    async def read(self, limit: int) -> bytes:
        """Return 1..limit bytes, b"" after close()."""
        while True:
            if self._is_closed:
                return b""
            if not self._arriving:
                self._has_some.clear()
                await self._timing.until(float("inf"), self._has_some)
                continue
            due_s, data = self._arriving[0]
            if due_s > self._timing.now + ROUNDING_S:
                self._has_some.clear()
                await self._timing.until(due_s, self._has_some)
                continue
            self._arriving.popleft()
            if len(data) > limit:
                self._arriving.appendleft((due_s, data[limit:]))
            return data[:limit]

    async def write(self, data: bytes) -> None:
        """Send. Raises LinkError after close(). What is sent over a dead connection is lost."""
        if self._is_closed:
            raise LinkError(reason="write: closed")
        path, now_s = self._path, self._timing.now
        if path.is_down(now_s) or path.is_forgotten(now_s - self._last_s):
            self._is_dead = True
        late_s = None if self._is_dead else path.late_s()
        if late_s is None:
            self._is_dead = True
            return
        self._last_s = now_s
        self._handler(bytes(data))
        answers = b"".join(self._answers)
        self._answers.clear()
        if not answers:
            return
        back_s = path.late_s()
        if back_s is None:
            self._is_dead = True
            return
        due_s = now_s + 2 * path.delay_s + late_s + back_s
        if self._arriving:
            due_s = max(due_s, self._arriving[-1][0])  # TCP keeps the order
        self._arriving.append((due_s, answers))
        self._has_some.set()

    async def close(self) -> None:
        """Close; bytes on the way are lost."""
        self._is_closed = True
        self._has_some.set()


class UnitNetwork:
    """device.interfaces.Network of one unit."""

    def __init__(self, path: Path, timing: Timing, content: Content) -> None:
        self._path = path
        self._timing = timing
        self._broker = MemoryBroker(content)

    async def open_tls(
        self, host: str, port: int, name: str, ca_der: bytes, cert_der: bytes, key_der: bytes
    ) -> PathStream:
        """Connect after two round trips, as for a TLS handshake. Raises LinkError during an outage."""
        if self._path.is_down(self._timing.now):
            raise LinkError(reason="connect: no answer")
        late_s = self._path.late_s()
        wait_s = 4 * self._path.delay_s + (late_s or 0.0)
        if late_s is None or wait_s:
            until_s = float("inf") if late_s is None else self._timing.now + wait_s
            await self._timing.until(until_s, self._timing.event())
        return PathStream(self._path, self._timing, self._broker)

    async def open_udp(self, host: str, port: int) -> Any:
        """Raise LinkError: the units of a fleet use MQTT."""
        raise LinkError(reason="open udp: no answer")

    async def serve_tls(
        self, port: int, cert_der: bytes, key_der: bytes, handler: Callable[[Any], Awaitable[None]]
    ) -> MemoryServer:
        """Keep the handler of the pages; nobody connects."""
        return MemoryServer(handler)

    def hang_up(self) -> None:
        """Do nothing: serve_tls has no clients."""

    async def open_group(self, group: str, port: int) -> None:
        """Return None: there is no multicast."""

    def addresses(self) -> list[str]:
        """Return the addresses of the unit."""
        return ["127.0.0.1"]

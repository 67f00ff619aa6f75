"""One unit's network policy in the simulated air, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from memory_unit import MemoryRecords

from device.agent.wifi import WifiHost
from device.net import wifi
from device.records.store import USER, Store
from simulator import virtual
from simulator.ports.air import Air
from simulator.ports.clock import SimEntropy
from simulator.ports.radio import SimWifi
from simulator.tasks import end_tasks

NAME, KEY = "fb-0a1b2c3d", "aaaa-bbbb-cccc-dddd"
HOME, HOME_KEY = "Home", "correct horse 7"


class Bench:
    """`host` is the policy, `air` what is around it. `restart` builds the policy again over the same records."""

    def __init__(self, seed: int = 0, securities: tuple[str, ...] = wifi.JOINABLE, key: str = KEY) -> None:
        self.air = Air(seed)
        self.records = MemoryRecords()
        self.said: list[str] = []
        self.joined = 0
        self.key = key
        self._securities = securities
        self._task: asyncio.Task[None] | None = None
        self.start()

    def start(self) -> None:
        self.clock = virtual.LoopClock()
        self.radio = SimWifi(self.air, self.clock, self._securities)
        ports: Any = SimpleNamespace(
            wifi=self.radio, clock=self.clock, entropy=SimEntropy(), say=self.said.append
        )
        self.user = Store(self.records, USER)
        self.host = WifiHost(ports, self.user, NAME, self.key, self._count)
        self._task = asyncio.get_running_loop().create_task(self.host.run())

    def _count(self) -> None:
        self.joined += 1

    async def stop(self) -> None:
        """Cut the power."""
        assert self._task is not None
        await end_tasks((self._task,))
        self.air.units.clear()

    async def restart(self) -> None:
        await self.stop()
        self.start()

    @property
    def result(self) -> str:
        return self.host.attempt.result if self.host.attempt is not None else ""

    @property
    def is_open(self) -> bool:
        return NAME in self.air.units

    async def choose(self, name: str = HOME, key: str = HOME_KEY, security: str = "") -> str:
        """Choose a network as the pages do, and return the result."""
        self.host.choose(name.encode(), key.encode(), security)
        await self.until(lambda: self.result != wifi.JOINING)
        return self.result

    async def until(self, is_so: Callable[[], bool], limit_s: float = 3600) -> float:
        """Wait and return the seconds that it took."""
        began = asyncio.get_running_loop().time()
        while not is_so():
            await asyncio.sleep(0.1)
            assert asyncio.get_running_loop().time() - began < limit_s, self.said
        return asyncio.get_running_loop().time() - began


def run(scenario: Callable[[Bench], Awaitable[None]], **settings: Any) -> None:
    """Run a scenario on a fresh bench."""

    async def main() -> None:
        bench = Bench(**settings)
        try:
            await scenario(bench)
        finally:
            await bench.stop()

    virtual.run(main())

"""Improv Wi-Fi on a line of the unit: with the set-up code it joins a network in the simulated air, without it none."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from memory_unit import CODE, MemoryUnit

from device.agent import improv as line
from device.net import improv, wifi
from simulator.ports.air import Air
from tests.unit.device.agent.wifi_bench import HOME, HOME_KEY, NAME, Bench, run


class Wire:
    """interfaces.Stream: `send` is the client's side, `heard` are the unit's packets."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self._decoder = improv.Decoder()
        self.heard: list[Any] = []

    def send(self, command: int, body: bytes = b"") -> None:
        self._arrived.put_nowait(improv.packet(improv.RPC, bytes((command, len(body))) + body))

    async def read(self, limit: int) -> bytes:
        return await self._arrived.get()

    async def write(self, data: bytes) -> None:
        self.heard += self._decoder.feed(data)


@pytest.mark.parametrize("code", [CODE, "Z" * 21])
def test_the_line_joins_a_network_for_the_holder_of_the_code_only(code: str) -> None:
    unit = MemoryUnit()

    async def scenario(bench: Bench) -> None:
        air: Air = bench.air
        air.add(HOME, HOME_KEY)
        ports: Any = SimpleNamespace(clock=bench.clock, board=SimpleNamespace(NAME="board"))
        updates = SimpleNamespace(profile=SimpleNamespace(version="1.0.0+0"))
        parts: Any = SimpleNamespace(owner=unit.owner, ports=ports, wifi=bench.host, updates=updates)
        wire: Any = Wire()
        task = asyncio.get_running_loop().create_task(line.answer(parts, wire))
        wire.send(improv.PROVE, code.encode())
        name, key = HOME.encode(), HOME_KEY.encode()
        wire.send(improv.SETTINGS, bytes((len(name),)) + name + bytes((len(key),)) + key)
        await asyncio.sleep(60)
        task.cancel()
        result = improv.result(improv.SETTINGS, (f"https://{NAME}.local/".encode(),))
        is_told = (improv.RPC_RESULT, result) in wire.heard
        assert (is_told, bench.host.is_joined()) == (code == CODE, code == CODE)
        assert (wifi.load(bench.user) is not None) == (code == CODE)

    run(scenario)

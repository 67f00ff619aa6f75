"""Improv Wi-Fi over Bluetooth in the agent: it answers in factory default, and is off after set-up and after a join."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from memory_unit import CODE, MemoryUnit

from device.agent import improv_ble as task
from device.crypto import backend
from device.net import improv, improv_ble
from device.owner import setup_code
from tests.unit.device.agent.wifi_bench import HOME, HOME_KEY, Bench, run


class FakeBluetooth:
    """interfaces.Bluetooth; `written` is what the client writes next, `heard` what the unit sent."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.heard: list[tuple[int, bytes]] = []
        self.states: list[int] = []
        self.is_open = False
        self.hung_up = 0

    def open(self, state: int) -> None:
        self.is_open = True
        self.states.append(state)

    def advertise(self, state: int) -> None:
        self.states.append(state)

    def take(self) -> bytes | None:
        return self.written.pop(0) if self.written else None

    def send(self, kind: int, data: bytes) -> None:
        self.heard.append((kind, data))

    def hang_up(self) -> None:
        self.hung_up += 1

    def close(self) -> None:
        self.is_open = False


class Phone:
    """A client with `code`, and the task of a unit that it talks to."""

    def __init__(self, bench: Bench, code: str = CODE) -> None:
        self.unit = MemoryUnit()
        self.bluetooth = FakeBluetooth()
        self._code = code
        ports: Any = SimpleNamespace(
            clock=bench.clock, board=SimpleNamespace(NAME="board"), entropy=self.unit.entropy
        )
        updates = SimpleNamespace(profile=SimpleNamespace(version="1.0.0+0"))
        parts: Any = SimpleNamespace(owner=self.unit.owner, ports=ports, wifi=bench.host, updates=updates)
        self.task = asyncio.get_running_loop().create_task(task.answer(parts, self.bluetooth))

    async def join(self) -> None:
        """Ask for a challenge and send the network."""
        self.bluetooth.written += [b"", improv_ble.frame(bytes((improv_ble.CHALLENGE, 0)))]
        await asyncio.sleep(1)
        kind, data = self.bluetooth.heard[-1]
        assert kind == improv.RPC_RESULT
        verifier = setup_code.verifier(self._code, data[3:19])
        key = backend.hmac_sha256(verifier, improv_ble.CONTEXT + data[20:36])[:16]
        body = bytes((len(HOME),)) + HOME.encode() + bytes((len(HOME_KEY),)) + HOME_KEY.encode()
        plain = bytes((improv.SETTINGS, len(body))) + body
        self.bluetooth.written.append(improv_ble.frame(improv_ble.seal(key, False, 0, plain)))


@pytest.mark.parametrize("code", [CODE, "Z" * 21])
def test_the_holder_of_the_code_only_joins_a_network_and_then_bluetooth_is_off(code: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        phone = Phone(bench, code)
        await phone.join()
        await asyncio.sleep(60)
        assert bench.host.is_joined() == (code == CODE)
        assert phone.bluetooth.is_open == (code != CODE)
        assert phone.task.done() == (code == CODE)
        states = [improv.AWAITING, improv.PROVISIONING, improv.PROVISIONED]
        assert phone.bluetooth.states == (states if code == CODE else states[:1])
        assert HOME_KEY.encode() not in b"".join(data for _, data in phone.bluetooth.heard)
        phone.task.cancel()

    run(scenario)


def test_set_up_switches_bluetooth_off() -> None:
    async def scenario(bench: Bench) -> None:
        phone = Phone(bench)
        await asyncio.sleep(1)
        assert phone.bluetooth.is_open
        phone.unit.set_up()
        await asyncio.sleep(1)
        assert not phone.bluetooth.is_open and phone.task.done()

    run(scenario)


def test_a_silent_client_gives_its_place_away_and_a_new_one_begins_without_a_key() -> None:
    async def scenario(bench: Bench) -> None:
        bench.air.add(HOME, HOME_KEY)
        phone = Phone(bench)
        await asyncio.sleep(61)
        assert phone.bluetooth.hung_up == 1
        phone.bluetooth.written += [b"", improv_ble.frame(bytes((improv_ble.CHALLENGE, 0))), b""]
        body = bytes((improv_ble.SEALED, 2)) + b"xx"
        phone.bluetooth.written.append(improv_ble.frame(body))
        await asyncio.sleep(1)
        assert phone.bluetooth.heard[-1] == (improv.ERROR_STATE, bytes((improv.NOT_AUTHORISED,)))
        phone.task.cancel()

    run(scenario)


def test_a_client_that_talks_and_proves_nothing_gives_its_place_away_too() -> None:
    async def scenario(bench: Bench) -> None:
        phone = Phone(bench)
        phone.bluetooth.written.append(b"")
        for _ in range(13):
            await asyncio.sleep(5)
            phone.bluetooth.written.append(improv_ble.frame(bytes((improv_ble.CHALLENGE, 0))))
        assert phone.bluetooth.hung_up == 1
        phone.task.cancel()

    run(scenario)


def test_a_client_that_proved_the_code_keeps_its_place_while_it_talks() -> None:
    async def scenario(bench: Bench) -> None:
        phone = Phone(bench)
        phone.bluetooth.written += [b"", improv_ble.frame(bytes((improv_ble.CHALLENGE, 0)))]
        await asyncio.sleep(1)
        data = phone.bluetooth.heard[-1][1]
        verifier = setup_code.verifier(CODE, data[3:19])
        key = backend.hmac_sha256(verifier, improv_ble.CONTEXT + data[20:36])[:16]
        for number in range(13):
            plain = bytes((improv.GET_INFO, 0))
            phone.bluetooth.written.append(improv_ble.frame(improv_ble.seal(key, False, number, plain)))
            await asyncio.sleep(10)
        assert phone.bluetooth.hung_up == 0
        assert phone.bluetooth.heard[-1][0] == improv.RPC_RESULT
        phone.task.cancel()

    run(scenario)

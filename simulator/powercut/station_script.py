"""The factory station's actions in a flow: it provisions the unit, from the start again after each cut."""

from __future__ import annotations

from typing import Any

from device.codec import cbor
from device.codec.frame import FrameDecoder, encode_frame
from device.errors import LinkError, LockedError
from simulator.powercut.errors import BrickedError
from simulator.powercut.machine import Machine
from simulator.powercut.owner_scripts import answers


class FactoryLine:
    """A station's requests over the machine's factory line. A restart of the unit raises LinkError."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._sequence = 0

    async def call(self, operation: str, **arguments: object) -> Any:
        """Return the results of one operation. Raises LockedError, LinkError, or BrickedError for another refusal."""
        end = await self._machine.factory()
        if end is None:
            raise LinkError(reason="the unit does not listen")
        self._sequence += 1
        await end.write(encode_frame(cbor.encode([self._sequence, operation, arguments])))
        decoder = FrameDecoder()
        while True:
            data = await end.read(4096)
            if not data:
                raise LinkError(reason="the unit restarted")
            for payload in decoder.feed(data):
                answer = cbor.decode(payload)
                if answer[1] == LockedError.code:
                    raise LockedError(state="locked")
                if answer[1]:
                    raise BrickedError(f"the unit refused the station: {answer[2]}")
                return answer[2]

    async def write(self, name: str, data: bytes) -> None:
        """Write a record in parts."""
        for offset in range(0, len(data), 2048):
            part = data[offset : offset + 2048]
            await self.call("write", name=name, offset=offset, data=part, total=len(data))


async def _provision_once(machine: Machine) -> bool:
    line = FactoryLine(machine)
    if "hello" in await line.call("hello", nonce=b"n" * 16):
        machine.record_fact("locked")
        return True
    requests = {}
    for role in ("device", "web"):
        requests[role] = bytes((await line.call("make_key", role=role))["csr"])
    for name, data in machine.world.bench.station_records(requests).items():
        await line.write(name, data)
    sealed = await line.call("seal")
    await line.call("lock", record_hash=sealed["record_hash"])
    machine.record_fact("locked")
    return False


async def provision(machine: Machine) -> None:
    """Provision the unit, from the start after each cut, until it is locked."""

    async def probe() -> bool | None:
        return await _provision_once(machine) or None

    await machine.until("a locked unit", probe)
    await machine.until("the set-up page", lambda: answers(machine, "/setup"))

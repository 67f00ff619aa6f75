"""A broker whose answers come from a script of bytes: right answers, wrong ones, and garbage in any order."""

from __future__ import annotations

import asyncio

from device.errors import FirstbootError, LinkTimeoutError
from device.net import mqtt
from device.transport.mqtt import MqttPeer, MqttSource

CLASS_ID, DEVICE_ID = b"\x01" * 16, b"\x02" * 16
CLASS_TOPIC = f"fb/{CLASS_ID.hex()}/"
DEVICE_TOPIC = f"fb/d/{DEVICE_ID.hex()}/"
PEER = MqttPeer("host", 8883, "name", b"ca", b"cert", b"key")
TOPICS = (
    "", CLASS_TOPIC + "manifest", CLASS_TOPIC + "keyset", CLASS_TOPIC + "support", CLASS_TOPIC + "contact",
    DEVICE_TOPIC + "fresh", CLASS_TOPIC + "o/" + "00" * 32, "\u00e9/#",
)  # fmt: skip
GARBAGE = 128  # an operation of the script from here on: so many raw bytes


class HostileBroker:
    """Network, stream and clock of a source in one. `script`: one operation for each packet of the client."""

    def __init__(self, script: bytes) -> None:
        self._script = script
        self._out = b""
        self._now_ms = 0
        self.packets = 0

    def ticks_ms(self) -> int:
        return self._now_ms

    def ticks_diff(self, later: int, earlier: int) -> int:
        return later - earlier

    async def open_tls(self, *_: object) -> HostileBroker:
        return self

    async def read(self, limit: int) -> bytes:
        if not self._out:
            self._now_ms += 20_000
            raise LinkTimeoutError(reason="nothing more comes")
        data, self._out = self._out[:limit], self._out[limit:]
        return data

    async def write(self, data: bytes) -> None:
        self.packets += 1
        assert self.packets < 1000, "the client never stops"
        while data:
            length, at = data[1], 2
            if length >= 128:
                length, at = (length & 127) | data[2] << 7, 3
            self._answer(data[0] >> 4, data[at : at + length])
            data = data[at + length :]

    async def close(self) -> None: ...

    def _take(self, length: int) -> bytes:
        taken, self._script = self._script[:length], self._script[length:]
        return taken

    def _answer(self, kind: int, body: bytes) -> None:
        operation = self._take(1)
        if operation and operation[0] >= GARBAGE:
            self._out += self._take(operation[0] - GARBAGE)
            return
        if kind == mqtt.CONNECT:
            self._out += b"\x20\x02\x00\x00"
        elif kind == mqtt.SUBSCRIBE:
            self._out += b"\x90\x03" + body[:2] + b"\x01"
        elif kind == mqtt.UNSUBSCRIBE:
            self._out += b"\xb0\x02" + body[:2]
        elif kind == mqtt.PUBLISH:
            end = 2 + int.from_bytes(body[:2], "big")
            self._out += b"\x40\x02" + body[end : end + 2]
        elif kind == mqtt.PINGREQ:
            self._out += b"\xd0\x00"
        if operation and operation[0]:
            topic = TOPICS[operation[0] % len(TOPICS)].encode()
            payload = self._take(operation[0])
            packet = len(topic).to_bytes(2, "big") + topic + payload
            self._out += b"\x31" + mqtt._remaining_length(len(packet)) + packet


async def _visit(source: MqttSource) -> None:
    """Ask for everything that a unit asks for, in its order. An error of one request does not keep out the next."""
    digest = bytes(32)
    source_plan = (digest, 5000, [digest, digest], [0, 1])
    await source.open()
    for ask in (
        lambda: source.freshness(b"request"),
        source.keyset,
        source.support,
        source.contact,
        source.envelope,
        lambda: source.object(digest, 64),
        lambda: source.report(b"\xa0"),
    ):
        try:
            found = await ask()
        except FirstbootError:
            await source.open()
            continue
        assert found is None or isinstance(found, bytes)
    source.plan(*source_plan)
    await source.chunk(0)


def visit(script: bytes) -> None:
    """Let a unit visit the broker of `script`. Only a FirstbootError may end the visit."""
    broker = HostileBroker(script)
    source = MqttSource(broker, broker, PEER, CLASS_ID, DEVICE_ID)

    async def run() -> None:
        try:
            await _visit(source)
        except FirstbootError:
            pass
        await source.close()

    asyncio.run(run())

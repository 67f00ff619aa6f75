"""A transfer over MQTT does not keep what it transferred: many chunks use as much memory as a few.

It imports no other test, so that the nightly run can send this whole file to a board (tests/emulated).
"""

import asyncio
import gc
import sys

from device import limits
from device.errors import LinkTimeoutError
from device.net import mqtt
from device.transport.mqtt import MqttPeer, MqttSource

PEER = MqttPeer("host", 8883, "name", b"", b"", b"")
CHUNK = bytes(range(256)) * 16


class Names:
    """The digests of any number of chunks, computed at each access."""

    def __getitem__(self, index):
        return index.to_bytes(32, "big")


class Clock:
    def ticks_ms(self):
        return 0

    def ticks_diff(self, later, earlier):
        return later - earlier


class Broker:
    """Network and Stream: one chunk for every topic that is subscribed to. Keeps only bytes that are not read yet."""

    def __init__(self):
        self.out = []

    async def open_tls(self, host, port, name, ca_der, cert_der, key_der):
        return self

    async def read(self, limit):
        if not self.out:
            raise LinkTimeoutError(reason="nothing more comes")
        data = self.out.pop(0)
        if len(data) > limit:
            self.out.insert(0, data[limit:])
        return data[:limit]

    async def write(self, data):
        while data:
            length, at = data[1], 2
            if length >= 128:
                length, at = (length & 127) | data[2] << 7, 3
            self._packet(data[0] >> 4, data[at : at + length])
            data = data[at + length :]

    def _packet(self, kind, body):
        if kind == mqtt.CONNECT:
            self.out.append(b"\x20\x02\x00\x00")
        elif kind == mqtt.UNSUBSCRIBE:
            self.out.append(b"\xb0\x02" + body[:2])
        elif kind == mqtt.SUBSCRIBE:
            topics, at = [], 2
            while at < len(body):
                end = at + 2 + int.from_bytes(body[at : at + 2], "big")
                topics.append(body[at + 2 : end].decode())
                at = end + 1
            self.out.append(b"\x90" + bytes((2 + len(topics),)) + body[:2] + bytes(len(topics)))
            for topic in topics:
                self.out.append(mqtt.encode_publish(topic, CHUNK, is_retained=True))

    async def close(self):
        pass


def memory():
    """Return the bytes in use on a board, the blocks in use on CPython."""
    gc.collect()
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else sys.getallocatedblocks()


async def transfer(first, count):
    """Return the growth of memory between chunks `first` and `count` of one transfer, with an equally full window."""
    broker = Broker()
    source = MqttSource(broker, Clock(), PEER, b"\x01" * 16, b"\x02" * 16)
    await source.open()
    total = count + 2 * limits.CHUNK_WINDOW
    source.plan(bytes(32), total * limits.CHUNK_BYTES, Names(), range(total))
    seen = []
    for index in range(total):
        assert await source.chunk(index) == CHUNK
        if index in (first, count):
            seen.append(memory())
    await source.close()
    return seen[1] - seen[0]


def grown(first, count):
    """Return transfer()'s result to a caller without a loop."""
    return asyncio.run(transfer(first, count))


def test_chunks_leave_no_memory_allocated():
    # One forgotten block for each chunk would be 600 blocks, or 9 600 bytes. A board's collector also keeps what an old
    # word on the stack seems to point at, such as one topic or one packet.
    assert grown(100, 700) < (4096 if hasattr(gc, "mem_alloc") else 256)

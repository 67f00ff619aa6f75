"""Rows 7 and 8 over links with a round trip of 100 ms: the device's own sources, in virtual time.

Virtual time contains only the link's delay and rate, so every run gives the same figures: the share of the link that
the protocol uses. The rows of instructions have the cost of computing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable
from typing import Final

from device.net import oscore
from device.net.sender_sequence import SenderSequence
from device.transport.coap import CoapPeer, CoapSource
from device.transport.mqtt import MqttPeer, MqttSource
from simulator import virtual
from simulator.ports.clock import SimEntropy
from simulator.ports.network import Link, MemoryNetwork
from simulator.ports.peers import Content, MemoryBroker, MemoryCoapServer

CLASS_ID: Final = b"\x01" * 16
CREDENTIALS: Final = oscore.Credentials(b"s" * 16, b"t" * 8, b"device!", b"fb")
HALF_TRIP_S: Final = 0.05
CHUNK, BLOCK = 4096, 1024
COAP_BYTES: Final = 64 * 1024
MQTT_CHUNKS: Final = 124  # as many as a firmware of 500 kB has


def figures() -> dict[str, float]:
    """Return the used shares of the links."""
    found = {"coap.share": COAP_BYTES / virtual.run(_coap_s()) / (BLOCK / (2 * HALF_TRIP_S))}
    for name, rate in (("100k", 100_000), ("250k", 250_000)):
        found[f"mqtt.share-{name}"] = MQTT_CHUNKS * CHUNK / virtual.run(_mqtt_s(rate)) / rate
    return found


async def _coap_s() -> float:
    """Return the virtual seconds of COAP_BYTES, block by block."""
    payload = bytes(range(256)) * (COAP_BYTES // 256)
    content = Content(CLASS_ID, lambda request: b"record")
    content.published["o/" + "00" * 32] = payload
    network = MemoryNetwork(
        datagram_peer=MemoryCoapServer(content, CREDENTIALS), up=Link(HALF_TRIP_S), down=Link(HALF_TRIP_S)
    )
    source = CoapSource(
        network,
        virtual.LoopClock(),
        SimEntropy(),
        CoapPeer("host", 5683),
        CLASS_ID,
        credentials=CREDENTIALS,
        sequence=SenderSequence(0, lambda upto: None),
    )
    await source.open()
    await source.freshness(b"request")  # a server that just started sends its Echo challenge now
    chunks = [payload[at : at + CHUNK] for at in range(0, COAP_BYTES, CHUNK)]
    source.plan(bytes(32), COAP_BYTES, [], range(len(chunks)))
    return await _timed(_take(source, chunks))


async def _mqtt_s(rate: float) -> float:
    """Return the virtual seconds of MQTT_CHUNKS over a link of `rate` bytes a second."""
    chunks = [index.to_bytes(4, "big") * (CHUNK // 4) for index in range(MQTT_CHUNKS)]
    digests = [hashlib.sha256(chunk).digest() for chunk in chunks]
    published = {"o/" + digest.hex(): chunk for digest, chunk in zip(digests, chunks, strict=True)}
    broker = MemoryBroker(Content(CLASS_ID, lambda request: None, published=published))
    network = MemoryNetwork(stream_peer=broker, up=Link(HALF_TRIP_S, rate), down=Link(HALF_TRIP_S, rate))
    peer = MqttPeer("host", 8883, "name", b"", b"", b"")
    source = MqttSource(network, virtual.LoopClock(), peer, CLASS_ID, bytes(16))
    await source.open()
    source.plan(bytes(32), MQTT_CHUNKS * CHUNK, digests, range(MQTT_CHUNKS))
    seconds = await _timed(_take(source, chunks))
    await source.close()
    return seconds


async def _take(source: MqttSource | CoapSource, chunks: list[bytes]) -> None:
    for index, chunk in enumerate(chunks):
        if await source.chunk(index) != chunk:
            raise ValueError(f"chunk {index} is another one")


async def _timed(work: Awaitable[None]) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await work
    return loop.time() - began

"""Transfers over links with a round trip, in virtual time: their pace, their memory, the cost of a wrong chunk.

The figures are virtual time and counted bytes, the same in every run. No wall time is measured.
"""

from __future__ import annotations

import gc
import hashlib
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from device.errors import LinkTimeoutError
from device.net import oscore
from device.net.sender_sequence import SenderSequence
from device.transport.coap import CoapPeer, CoapSource
from device.transport.mqtt import MqttPeer, MqttSource
from simulator import virtual
from simulator.ports.clock import SimEntropy
from simulator.ports.network import Link, MemoryNetwork
from simulator.ports.peers import Content, MemoryBroker, MemoryCoapServer

CLASS_ID = b"\x01" * 16
DEVICE_ID = b"\x02" * 16
CREDENTIALS = oscore.Credentials(b"s" * 16, b"t" * 8, b"device!", b"fb")
HALF_TRIP_S = 0.05
CHUNK = 4096


class Chunks(dict[str, bytes]):
    """`count` different chunks of `size` bytes, computed at each access, so that the test stores none of them."""

    def __init__(self, count: int, size: int = CHUNK) -> None:
        super().__init__()
        self.size = size
        self.digests = [hashlib.sha256(self.chunk(index)).digest() for index in range(count)]
        self._index = {"o/" + digest.hex(): index for index, digest in enumerate(self.digests)}

    def chunk(self, index: int) -> bytes:
        return index.to_bytes(4, "big") * (self.size // 4)

    def get(self, key: str, default: Any = None) -> Any:
        index = self._index.get(key)
        return default if index is None else self.chunk(index)


def over_mqtt(
    published: dict[str, bytes],
    work: Callable[[MqttSource], Awaitable[Any]],
    rate: float = 0.0,
    piece_bytes: int = 0,
) -> Any:
    """Return the result of `work(source)` over a link of `rate` bytes a second with 100 ms of round trip."""

    async def run() -> Any:
        broker = MemoryBroker(Content(CLASS_ID, lambda request: None, published=published))
        delay_s = HALF_TRIP_S if rate else 0.0
        down = Link(delay_s, rate, piece_bytes=piece_bytes)
        network = MemoryNetwork(stream_peer=broker, up=Link(delay_s, rate), down=down)
        peer = MqttPeer("host", 8883, "name", b"", b"", b"")
        source = MqttSource(network, virtual.LoopClock(), peer, CLASS_ID, DEVICE_ID)
        await source.open()
        try:
            return await work(source)
        finally:
            await source.close()

    return virtual.run(run())


async def elapsed(work: Awaitable[Any]) -> float:
    """Return the virtual seconds of `work`."""
    import asyncio

    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    await work
    return loop.time() - begin_s


async def fetch(source: MqttSource | CoapSource, chunks: Chunks, count: int) -> None:
    source.plan(bytes(32), count * chunks.size, chunks.digests, range(count))
    for index in range(count):
        assert await source.chunk(index) == chunks.chunk(index)


@pytest.mark.parametrize("rate", [10_000, 100_000, 250_000])
def test_mqtt_fills_nine_tenths_of_a_link_with_100_ms_round_trip(rate: int) -> None:
    """The window's 32 KiB are enough: 100 ms at 250 kB/s are 25 kB under way. The firmware has 124 chunks."""
    count = 124
    chunks = Chunks(count)
    seconds = over_mqtt(chunks, lambda source: elapsed(fetch(source, chunks, count)), rate)
    assert count * CHUNK / seconds >= 0.9 * rate


def test_coap_moves_a_block_in_each_round_trip() -> None:
    payload = bytes(range(256)) * 256  # 64 KiB

    async def run() -> float:
        content = Content(CLASS_ID, lambda request: b"record")
        content.published["o/" + "00" * 32] = payload
        server = MemoryCoapServer(content, CREDENTIALS)
        network = MemoryNetwork(datagram_peer=server, up=Link(HALF_TRIP_S), down=Link(HALF_TRIP_S))
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
        await source.freshness(b"request")  # the Echo challenge of a server that just started comes here

        async def all_chunks() -> None:
            source.plan(bytes(32), len(payload), [], range(16))
            for index in range(16):
                assert await source.chunk(index) == payload[index * CHUNK : (index + 1) * CHUNK]

        return await elapsed(all_chunks())

    assert len(payload) / virtual.run(run()) >= 0.98 * 1024 / (2 * HALF_TRIP_S)


def test_10_000_chunks_leave_no_memory_allocated() -> None:
    chunks = Chunks(10_000, 64)

    async def work(source: MqttSource) -> int:
        source.plan(bytes(32), 640_000, chunks.digests, range(10_000))
        for index in range(2_000):
            await source.chunk(index)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for index in range(2_000, 10_000):
            await source.chunk(index)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        return grown

    assert over_mqtt(chunks, work) < 16 * 1024


class Spoiling(dict[str, bytes]):
    """Damages one of its contents, once."""

    def __init__(self, content: dict[str, bytes], name: str) -> None:
        super().__init__(content)
        self.name: str | None = name
        self.served: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        data = super().get(key, default)
        if key.startswith("o/"):
            self.served.append(key)
        if key == self.name:
            self.name = None
            return data[:-1] + bytes((data[-1] ^ 1,))
        return data


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from simulator.powercut.bench import Bench
    from simulator.powercut.campaign import Campaign

    yield Campaign(Bench(tmp_path_factory.mktemp("bench")))


def test_a_wrong_chunk_costs_one_chunk(bench: Any) -> None:
    """The unit refuses it, keeps the others, and requests only this one and the missing ones again."""
    from simulator.powercut.flows import FLOWS, updates
    from simulator.powercut.machine import Machine

    flash, world = bench.start(FLOWS["update-mqtt"])
    digest, _ = bench.bench.releases[2].chunks()[1]
    world.published = Spoiling(world.published, "o/" + digest.hex())
    Machine(flash, world).live(updates)
    chunk_names = ["o/" + digest.hex() for digest, _ in bench.bench.releases[2].chunks()]
    served = [world.published.served.count(name) for name in chunk_names]
    assert served[0] == 1, "a chunk that was stored is not fetched again"
    assert served[1] == 2


class Cutting(dict[str, bytes]):
    """Loses the connection when one of its contents is requested for the first time."""

    cut: Callable[[], None]

    def __init__(self, content: dict[str, bytes], name: str) -> None:
        super().__init__(content)
        self.name: str | None = name
        self.served: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        self.served.append(key)
        if key == self.name:
            self.name = None
            self.cut()
            return default
        return super().get(key, default)


def test_a_transfer_continues_after_a_lost_connection_with_the_stored_chunks(bench: Any) -> None:
    """The broker disappears during the transfer; after its pause the unit connects again and requests only the rest."""
    from simulator.powercut.flows import FLOWS, updates
    from simulator.powercut.machine import Machine

    flash, world = bench.start(FLOWS["update-mqtt"])
    names = ["o/" + digest.hex() for digest, _ in bench.bench.releases[2].chunks()]
    kept = Cutting(world.published, names[-1])
    world.published = kept
    machine = Machine(flash, world)
    kept.cut = machine.network.cut
    machine.live(updates)
    assert kept.name is None, "the connection was lost"
    served = [kept.served.count(name) for name in names]
    assert served[0] == 1, "a chunk that was stored is not fetched again"
    assert served[-1] == 2
    assert machine.network.opened > 2


def test_a_server_that_falls_silent_ends_the_transfer_with_a_typed_error() -> None:
    chunks = Chunks(20)

    async def work(source: MqttSource) -> None:
        source.plan(bytes(32), 20 * CHUNK, [*chunks.digests[:4], bytes(32)], range(5))
        for index in range(4):
            await source.chunk(index)
        with pytest.raises(LinkTimeoutError):
            await source.chunk(4)

    over_mqtt(chunks, work)


KEY_SET = bytes(range(250)) * 18  # 4.5 kB, as a key set with several signatures


def test_a_link_of_2_kB_a_second_does_not_make_a_published_key_set_absent() -> None:
    """Nothing is readable for 2.3 s, because a TLS record is readable only when it is complete."""
    assert over_mqtt({"keyset": KEY_SET}, lambda source: source.keyset(), 2_000) == KEY_SET


def test_a_key_set_that_takes_45_seconds_is_read_because_its_bytes_are_progress() -> None:
    assert over_mqtt({"keyset": KEY_SET}, lambda source: source.keyset(), 100, 100) == KEY_SET


@pytest.mark.parametrize("name", ["envelope", "support", "contact", "keyset"])
def test_on_a_slow_link_a_topic_is_still_known_to_be_empty(name: str) -> None:
    assert over_mqtt({}, lambda source: getattr(source, name)(), 100) is None

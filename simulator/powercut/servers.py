"""The servers of one unit and the brokers of its owner's home, in memory, inside the campaign's event loop.

They record what the unit sends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from device.codec import cbor
from device.net import oscore
from provisioning.servers.tracker import Newest, Tracker
from simulator.ports.network import MemoryNetwork, MemoryServer, StreamPeer
from simulator.ports.peers import Content, MemoryBroker, MemoryCoapServer
from simulator.powercut.home_brokers import brokers
from simulator.powercut.pipe import PipeEnd
from simulator.powercut.world import World


class RecordFact(Protocol):
    """Records a fact about the unit at the current flash operation."""

    def __call__(self, what: str, value: object = True) -> None: ...


class UnitNetwork(MemoryNetwork):
    """Keeps the handler of the pages, so that a script can act as a browser. `homes`: the brokers by address."""

    pages: Callable[[PipeEnd], Awaitable[None]] | None = None
    homes: Mapping[str, StreamPeer] = MappingProxyType({})

    def stream_peer(self, host: str) -> StreamPeer | None:
        """Return the owner's broker at `host`, or else the maker's."""
        return self.homes.get(host) or super().stream_peer(host)

    async def serve_tls(self, port: int, cert_der: bytes, key_der: bytes, handler: Any) -> MemoryServer:
        """Keep the handler of the unit's pages."""
        self.pages = handler
        return MemoryServer(handler)


class UnitServers:
    """Broker, CoAP server and tracker, as far as `world` has them, and the network that leads to them."""

    def __init__(self, world: World, record_fact: RecordFact) -> None:
        self._world = world
        self._record_fact = record_fact
        bench = world.bench
        self._class_id = bench.product.class_id
        self.tracker = Tracker(
            bench.ring.signer("tracker"), {self._class_id: Newest()}, now=lambda: bench.now_s
        )
        content = Content(
            self._class_id, self._freshness, lambda data: record_fact("report", data), world.published
        )
        self.network = UnitNetwork(
            stream_peer=MemoryBroker(content) if world.has_mqtt else None,
            datagram_peer=self._coap_server(content) if world.has_coap else None,
        )
        self.network.homes = brokers(world.leaked)

    def _coap_server(self, content: Content) -> MemoryCoapServer:
        fields = cbor.decode(self._world.bench.station_record("oscore", {}))
        credentials = oscore.Credentials(fields[1], fields[2], fields[3], fields[4])
        return MemoryCoapServer(content, credentials, seen=self._world.numbers, on_number=self._number)

    def _number(self, number: int, digest: bytes) -> None:
        if self._world.numbers.get(number, digest) != digest:
            self._world.reused.append(f"OSCORE sender number {number}")
        self._record_fact("number", (number, digest))

    def _freshness(self, request: bytes) -> bytes:
        nonce = cbor.decode(request)[1]
        if nonce in self._world.nonces:
            self._world.reused.append("freshness nonce")
        self._world.nonces.add(nonce)
        self._record_fact("nonce", nonce)
        self.tracker.classes[self._class_id].raise_to(manifest=self._world.published_number())
        return self.tracker.answer(request)

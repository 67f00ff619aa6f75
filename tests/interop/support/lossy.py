"""Faulty networks: datagrams lost, doubled, or of an unknown sender, in a pattern that a test chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from device.net import coap

if TYPE_CHECKING:
    from device.interfaces import Datagram, Network


def is_request(data: bytes) -> bool:
    """Return whether a datagram of a unit is a request: a server that is late gets a receipt (an empty ACK), too."""
    message = coap.decode(data)
    return bool(message.mtype == coap.CON and message.code != coap.EMPTY)


class LossyNetwork:
    """`inner` with `filter_sent(count, data) -> list of datagrams to send`, and the same for received ones."""

    def __init__(
        self,
        inner: Network,
        filter_sent: Callable[[int, bytes], list[bytes]] = lambda count, data: [data],
        filter_received: Callable[[int, bytes], list[bytes]] = lambda count, data: [data],
    ) -> None:
        self._inner = inner
        self._filter_sent = filter_sent
        self._filter_received = filter_received
        self.sent = 0
        self.received = 0
        self._requests: set[int] = set()

    @property
    def requests(self) -> int:
        """Return how many requests were sent. One that was sent again counts once, a receipt does not count."""
        return len(self._requests)

    def note(self, data: bytes) -> None:
        """Count a datagram of the unit."""
        if is_request(data):
            self._requests.add(coap.decode(data).message_id)

    async def open_udp(self, host: str, port: int) -> Datagram:
        return _LossyDatagram(await self._inner.open_udp(host, port), self)


class _LossyDatagram:
    def __init__(self, inner: Datagram, network: LossyNetwork) -> None:
        self._inner = inner
        self._network = network
        self._queue: list[bytes] = []

    async def send(self, data: bytes) -> None:
        self._network.sent += 1
        self._network.note(data)
        for datagram in self._network._filter_sent(self._network.sent, data):
            await self._inner.send(datagram)

    async def receive(self, timeout_ms: int) -> bytes | None:
        while not self._queue:
            data = await self._inner.receive(timeout_ms)
            if data is None:
                return None
            self._network.received += 1
            self._queue += self._network._filter_received(self._network.received, data)
        return self._queue.pop(0)

    def close(self) -> None:
        self._inner.close()

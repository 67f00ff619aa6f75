"""Bytes on their way to one reader in one event loop. Every stream in memory uses it."""

from __future__ import annotations

import asyncio
from collections import deque

from device.errors import LinkError


class ExactReads:
    """A stream whose `read(limit)` returns b"" at the end."""

    async def read(self, limit: int) -> bytes:
        raise NotImplementedError

    async def readexactly(self, length: int) -> bytes:
        """Return `length` bytes. Raises LinkError if the stream ends before."""
        data = b""
        while len(data) < length:
            part = await self.read(length - len(data))
            if not part:
                raise LinkError(reason="read: end of stream")
            data += part
        return data


class ByteQueue(ExactReads):
    """Bytes are read in the order of arrival. After `end()` the reader gets what is left, then b""."""

    def __init__(self) -> None:
        self._arrived: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.is_ended = False

    def put(self, data: bytes) -> None:
        """Append `data`; empty data changes nothing."""
        if data:
            self._arrived.append(data)
            self._wake()

    def end(self) -> None:
        """End the stream."""
        self.is_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self, limit: int) -> bytes:
        """Return 1..limit bytes, b"" at the end of the stream."""
        while not self._arrived:
            if self.is_ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = self._arrived.popleft()
        if len(data) > limit:
            self._arrived.appendleft(data[limit:])
        return data[:limit]

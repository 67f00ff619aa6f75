"""Bytes on their way to one reader of one event loop: what every stream in memory rests on."""

from __future__ import annotations

import asyncio
from collections import deque

from device.errors import LinkError


class ByteQueue:
    """What arrives is read in order; after `end()` the reader gets what is left, then b""."""

    def __init__(self) -> None:
        self._arrived: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.is_ended = False

    def put(self, data: bytes) -> None:
        """Let `data` arrive; nothing arrives as nothing."""
        if data:
            self._arrived.append(data)
            self._wake()

    def end(self) -> None:
        """Nothing arrives any more."""
        self.is_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self, limit: int) -> bytes:
        """Give 1..limit bytes, b"" at the end of the stream."""
        while not self._arrived:
            if self.is_ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = self._arrived.popleft()
        if len(data) > limit:
            self._arrived.appendleft(data[limit:])
        return data[:limit]

    async def readexactly(self, length: int) -> bytes:
        """Give `length` bytes. Raises LinkError when the stream ends before."""
        data = b""
        while len(data) < length:
            part = await self.read(length - len(data))
            if not part:
                raise LinkError(reason="read: end of stream")
            data += part
        return data

"""A byte pipe in memory, without the cost of a socket: the factory line and the browser of a campaign."""

from __future__ import annotations

import asyncio
from collections import deque

from device.errors import LinkError


class FastPipe:
    """A byte pipe of one loop: `ours` is the unit's Stream, the other end has write() and read()."""

    def __init__(self) -> None:
        self.ours = PipeEnd()
        self.theirs = PipeEnd()
        self.ours.other, self.theirs.other = self.theirs, self.ours


class PipeEnd:
    """One end; implements device.interfaces.Stream."""

    other: PipeEnd

    def __init__(self) -> None:
        self._arrived: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.is_closed = False

    def put(self, data: bytes) -> None:
        if data:
            self._arrived.append(data)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self, limit: int) -> bytes:
        """Give 1..limit bytes, b"" once the other end is closed."""
        while not self._arrived:
            if self.is_closed or self.other.is_closed:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = self._arrived.popleft()
        if len(data) > limit:
            self._arrived.appendleft(data[limit:])
        return data[:limit]

    async def readexactly(self, length: int) -> bytes:
        """Give `length` bytes. Raises LinkError at the end of the stream."""
        data = b""
        while len(data) < length:
            part = await self.read(length - len(data))
            if not part:
                raise LinkError(reason="read: end of stream")
            data += part
        return data

    async def write(self, data: bytes) -> None:
        """Send. Raises LinkError once the other end is closed."""
        if self.other.is_closed:
            raise LinkError(reason="write: closed")
        self.other.put(bytes(data))

    async def close(self) -> None:
        """Close this end; the other one reads the end of the stream."""
        self.is_closed = True
        self.other.put(b"")

"""A byte pipe in memory, without the cost of a socket: the factory line and the browser of a campaign."""

from __future__ import annotations

from device.errors import LinkError
from simulator.ports.queue import ByteQueue


class FastPipe:
    """A byte pipe in one event loop: `ours` is the unit's end, `theirs` the other."""

    def __init__(self) -> None:
        there, back = ByteQueue(), ByteQueue()
        self.ours = PipeEnd(there, back)
        self.theirs = PipeEnd(back, there)


class PipeEnd:
    """One end; implements device.interfaces.Stream."""

    def __init__(self, arriving: ByteQueue, leaving: ByteQueue) -> None:
        self._arriving = arriving
        self._leaving = leaving
        self.read = arriving.read
        self.readexactly = arriving.readexactly

    async def write(self, data: bytes) -> None:
        """Send. Raises LinkError after either end closed."""
        if self._leaving.is_ended:
            raise LinkError(reason="write: closed")
        self._leaving.put(bytes(data))

    async def close(self) -> None:
        """Close the pipe; the other end reads what was sent, then the end of the stream."""
        self.shut()

    def shut(self) -> None:
        """Close at once, as a reset of the unit does."""
        self._arriving.end()
        self._leaving.end()

"""The chunks to request ahead of the reader. No I/O: digests in, topics to open and to close out.

Rules:
1. At most as many chunks are requested or held as there are buffers, which bounds the RAM: limits.CHUNK_WINDOW, or
   fewer on a board whose heap is short (`room_for`). A chunk is copied into a buffer, and its buffer is used again.
2. Chunks are requested and taken in the planned order, two new ones for each two that were taken. A link with 100 ms
   of round trip and 250 kB/s holds six of the eight. If half of the window had to be free first, the link was idle for
   a quarter of the time. Single requests fill it no better than pairs and need twice the messages.
3. Two chunks with the same content have the same topic. It is requested once while either is in the window, and again
   if it comes up later (a retained message is sent once per subscription).
"""

from device import limits
from device.compat import const
from device.errors import ProtocolError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Iterable

    from device.interfaces import Digests

_REFILL = const(2)  # rule 2
ROOM_BYTES = 2 * limits.CHUNK_WINDOW * limits.CHUNK_BYTES  # free memory that is enough for the whole window


def room_for(free_bytes: int) -> int:
    """Return how many chunks may be requested ahead: they take at most half of the free memory, pages use the rest."""
    room = free_bytes // 2 // limits.CHUNK_BYTES
    return max(limits.CHUNK_WINDOW_LEAST, min(room, limits.CHUNK_WINDOW))


class Window:
    """Read-ahead over the chunks `wanted` (indices into `digests`), in `buffers` of limits.CHUNK_BYTES each."""

    def __init__(self, digests: "Digests", wanted: "Iterable[int]", buffers: "list[bytearray]") -> None:
        self._room = len(buffers)
        self._free = buffers
        self._lent: "bytearray | None" = None  # of the chunk that take() returned last
        self._digests = digests
        self._wanted = iter(wanted)
        self._ahead: "list[int]" = []
        self._held: "dict[bytes, tuple[bytearray, int]]" = {}  # buffer and length of a chunk
        self._done: "list[bytes]" = []

    def refill(self) -> "tuple[list[bytes], list[bytes]]":
        """Return (digests to close, digests to open in order); both are empty until _REFILL of the window is free."""
        if len(self._ahead) > self._room - _REFILL:
            return [], []
        have = set(self._digests[index] for index in self._ahead)
        to_open = []
        while len(self._ahead) < self._room:
            try:
                index = next(self._wanted)
            except StopIteration:
                break
            digest = self._digests[index]
            if digest not in have:
                have.add(digest)
                to_open.append(digest)
            self._ahead.append(index)
        to_close, self._done = self._done, []
        return to_close, to_open

    def accept(self, digest: bytes, data: "bytes | memoryview") -> bool:
        """Copy `data` if its chunk is in the window and not held yet. Returns whether it was kept."""
        if digest in self._held:
            return False
        for index in self._ahead:
            if self._digests[index] == digest:
                buffer = self._free.pop()
                buffer[: len(data)] = data
                self._held[digest] = (buffer, len(data))
                return True
        return False

    def holds(self, index: int) -> bool:
        """Return whether chunk `index` has arrived and was not taken yet."""
        return self._digests[index] in self._held

    def release(self) -> None:
        """Take back the buffer of the chunk that take() returned last."""
        if self._lent is not None:
            self._free.append(self._lent)
        self._lent = None

    def take(self, index: int) -> "memoryview | None":
        """Return the content of chunk `index`, None if it has not arrived. Raises ProtocolError out of order.

        It is valid until release(), which comes before the next refill().
        """
        if not self._ahead or self._ahead[0] != index:
            raise ProtocolError(reason="chunk out of order", index=index)
        digest = self._digests[index]
        found = self._held.get(digest)
        if found is None:
            return None
        buffer, length = found
        self._ahead.pop(0)
        if digest not in [self._digests[later] for later in self._ahead]:
            del self._held[digest]
            self._done.append(digest)
            self._lent = buffer
        return memoryview(buffer)[:length]

    def open_digests(self) -> "list[bytes]":
        """Return the digests that are still subscribed to: in the window, or done and not closed yet."""
        every = set(self._digests[index] for index in self._ahead)
        every.update(self._done)
        return list(every)

"""The chunks to request ahead of the reader. No I/O: digests in, topics to open and to close out.

Rules:
1. At most `room` chunks are requested or held, which bounds the RAM: limits.CHUNK_WINDOW, or fewer on a board whose
   heap is short (`room_for`).
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
    """Read-ahead over the chunks `wanted` (indices into `digests`)."""

    def __init__(self, digests: "Digests", wanted: "Iterable[int]", room: int = limits.CHUNK_WINDOW) -> None:
        self._room = room
        self._digests = digests
        self._wanted = iter(wanted)
        self._ahead: "list[int]" = []
        self._held: "dict[bytes, bytes]" = {}
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

    def accept(self, digest: bytes, data: bytes) -> bool:
        """Keep `data` if its chunk is in the window and not held yet. Returns whether it was kept."""
        if digest in self._held:
            return False
        for index in self._ahead:
            if self._digests[index] == digest:
                self._held[digest] = data
                return True
        return False

    def holds(self, index: int) -> bool:
        """Return whether chunk `index` has arrived and was not taken yet."""
        return self._digests[index] in self._held

    def take(self, index: int) -> "bytes | None":
        """Return the content of chunk `index`, None if it has not arrived. Raises ProtocolError out of order."""
        if not self._ahead or self._ahead[0] != index:
            raise ProtocolError(reason="chunk out of order", index=index)
        digest = self._digests[index]
        data = self._held.get(digest)
        if data is not None:
            self._ahead.pop(0)
            for later in self._ahead:
                if self._digests[later] == digest:
                    return data
            del self._held[digest]
            self._done.append(digest)
        return data

    def open_digests(self) -> "list[bytes]":
        """Return the digests that are still subscribed to: in the window, or done and not closed yet."""
        every = set(self._digests[index] for index in self._ahead)
        every.update(self._done)
        return list(every)

"""Which chunks are asked for ahead of the reader. Pure: digests in, topics to open and to close out.

Rules:
1. Asked for or held, never more than limits.CHUNK_WINDOW chunks: that bounds the RAM.
2. Chunks are asked for in the planned order and taken in it, two new ones for each two that were taken. A link with
   100 ms of round trip and 250 kB/s holds six of the eight: to wait for half of them to be free left it idle for a
   quarter of the time, and one by one fills it no better than two by two, for twice the messages.
3. Two chunks with the same content have the same topic: it is asked for once while either is in the window,
   and asked for anew when it comes up again later (a retained message is sent once per subscription).
"""

from device import limits
from device.compat import const
from device.errors import ProtocolError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Iterable, Sequence


_REFILL = const(2)  # rule 2


class Window:
    """Read-ahead over the chunks `wanted` (indices into `digests`)."""

    def __init__(self, digests: "Sequence[bytes]", wanted: "Iterable[int]") -> None:
        self._digests = digests
        self._wanted = iter(wanted)
        self._ahead: "list[int]" = []
        self._held: "dict[bytes, bytes]" = {}
        self._done: "list[bytes]" = []

    def refill(self) -> "tuple[list[bytes], list[bytes]]":
        """(digests to close, digests to open in the order they are needed), once _REFILL of the window are free."""
        if len(self._ahead) > limits.CHUNK_WINDOW - _REFILL:
            return [], []
        have = set(self._digests[index] for index in self._ahead)
        to_open = []
        while len(self._ahead) < limits.CHUNK_WINDOW:
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
        """Keep `data` where its chunk is in the window and not held yet; False where it is not needed."""
        if digest in self._held:
            return False
        for index in self._ahead:
            if self._digests[index] == digest:
                self._held[digest] = data
                return True
        return False

    def take(self, index: int) -> "bytes | None":
        """The content of chunk `index`, None where it has not arrived. Raises ProtocolError out of order."""
        if not self._ahead or self._ahead[0] != index:
            raise ProtocolError(reason="chunk out of plan", index=index)
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
        """What is still subscribed to: in the window, or done and not closed yet."""
        every = set(self._digests[index] for index in self._ahead)
        every.update(self._done)
        return list(every)

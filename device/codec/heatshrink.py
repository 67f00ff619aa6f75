"""Heatshrink decompression: LZSS over a small window, as heatshrink 0.4 writes it (atomicobject/heatshrink).

A stream is tokens, most significant bit first: 1 and a byte, or 0, a distance back minus one (window bits) and a count
minus one (lookahead bits). Zero bits fill the last byte. Rules:
1. Window and lookahead are bounded by limits.py before anything is allocated; the window begins as zeros.
2. The decoder reads and produces only what the caller asks for. Its RAM is the window, one byte string of the stream
   and one buffer of the output, each of a size that the caller chose. It allocates nothing large while it runs: on a
   heap of 2 MB each allocation of more than 16 bytes is a search.
3. `finish` accepts only the end of the stream: no byte and no set bit may follow.
"""

from device.compat import const
from device.errors import HeatshrinkError
from device.limits import HEATSHRINK_LOOKAHEAD_BITS, HEATSHRINK_WINDOW_BITS

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

_WINDOW_MIN = const(4)  # what the format itself allows
_LOOKAHEAD_MIN = const(3)
_BYTE_BITS = const(8)


class Decoder:
    """The decompressed output of one stream. `read_more()` returns the next bytes of the stream, b"" at its end."""

    def __init__(self, read_more: "Callable[[], bytes]", window_bits: int, lookahead_bits: int) -> None:
        """Raises HeatshrinkError for a window or lookahead past limits.py, or one that the format does not have."""
        if not _WINDOW_MIN <= window_bits <= HEATSHRINK_WINDOW_BITS:
            raise HeatshrinkError(reason="window")
        if not _LOOKAHEAD_MIN <= lookahead_bits <= min(HEATSHRINK_LOOKAHEAD_BITS, window_bits - 1):
            raise HeatshrinkError(reason="lookahead")
        self._read_more = read_more
        self._window = memoryview(bytearray(1 << window_bits))
        self._one = memoryview(bytearray(1))
        self._head = 0  # where the next byte of output goes in the window
        self._window_bits = window_bits
        self._lookahead_bits = lookahead_bits
        self._input = b""
        self._at = 0
        self._bits = 0  # bits read and not used yet, fewer than 30: a small integer on every board
        self._bit_count = 0
        self._distance = 0
        self._count = 0  # bytes of the last reference that are still to come

    def read_into(self, out: memoryview, at: int, end: int) -> None:
        """Write the next bytes into `out`, from `at` up to `end`. Raises HeatshrinkError if the stream ends earlier."""
        window = self._window
        mask = len(window) - 1
        while at < end:
            if self._count:
                at += self._copy(out, at, end)
            elif self._take(1):
                out[at] = window[self._head] = self._take(_BYTE_BITS)
                self._head = (self._head + 1) & mask
                at += 1
            else:
                self._distance = self._take(self._window_bits) + 1
                self._count = self._take(self._lookahead_bits) + 1

    def byte(self) -> int:
        """Return the next byte. Raises HeatshrinkError as read_into."""
        self.read_into(self._one, 0, 1)
        return self._one[0]

    def finish(self) -> None:
        """Check that the stream ends here. Raises HeatshrinkError."""
        if self._count or self._at < len(self._input) or self._read_more():
            raise HeatshrinkError(reason="more behind the end")
        if self._bit_count >= _BYTE_BITS or self._bits:
            raise HeatshrinkError(reason="padding")

    def _take(self, count: int) -> int:
        """Return the next `count` bits of the stream, at most 16."""
        while self._bit_count < count:
            if self._at == len(self._input):
                self._input = self._read_more()
                self._at = 0
                if not self._input:
                    raise HeatshrinkError(reason="truncated")
            self._bits = self._bits << _BYTE_BITS | self._input[self._at]
            self._at += 1
            self._bit_count += _BYTE_BITS
        self._bit_count -= count
        value = self._bits >> self._bit_count
        self._bits &= (1 << self._bit_count) - 1
        return value

    def _copy(self, out: memoryview, at: int, end: int) -> int:
        """Copy the rest of the last reference, as far as `out` goes. Return the number of bytes."""
        count = min(self._count, end - at)
        window = self._window
        source = (self._head - self._distance) & (len(window) - 1)
        done = min(count, self._distance)
        room = len(window) - source
        if done <= room:
            out[at : at + done] = window[source : source + done]
        else:  # the reference wraps at the end of the window
            out[at : at + room] = window[source:]
            out[at + room : at + done] = window[: done - room]
        while done < count:  # a reference into itself repeats: double the copied part
            more = min(done, count - done)
            out[at + done : at + done + more] = out[at : at + more]
            done += more
        self._put(out, at, count)
        self._count -= count
        return count

    def _put(self, out: memoryview, at: int, count: int) -> None:
        """Keep `count` bytes of the output in the window."""
        window, head = self._window, self._head
        room = len(window) - head
        if count < room:
            window[head : head + count] = out[at : at + count]
            self._head = head + count
        else:
            window[head:] = out[at : at + room]
            self._head = count - room
            window[: count - room] = out[at + room : at + count]

"""Heatshrink decompression: LZSS over a small window, as heatshrink 0.4 writes it (atomicobject/heatshrink).

A stream is tokens, most significant bit first: 1 and a byte, or 0, a distance back less one (window bits) and a count
less one (lookahead bits). Zero bits fill the last byte. Rules:
1. Window and lookahead are bounded by limits.py before anything is allocated; the window begins as zeros.
2. No more is read than is asked for, no more is produced than is asked for: RAM is the window, one byte string of the
   stream and one of the output, each of a size that the caller chose.
3. `finish` accepts the end of the stream alone: no byte and no set bit may follow.
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
    """Output of one stream. `read_more()` gives the next bytes of the stream, b"" at its end."""

    def __init__(self, read_more: "Callable[[], bytes]", window_bits: int, lookahead_bits: int) -> None:
        """Raises HeatshrinkError for a window or lookahead past limits.py, or one that the format does not have."""
        if not _WINDOW_MIN <= window_bits <= HEATSHRINK_WINDOW_BITS:
            raise HeatshrinkError(reason="window")
        if not _LOOKAHEAD_MIN <= lookahead_bits <= min(HEATSHRINK_LOOKAHEAD_BITS, window_bits - 1):
            raise HeatshrinkError(reason="lookahead")
        self._read_more = read_more
        self._window = bytearray(1 << window_bits)
        self._head = 0  # where the next byte of output goes in the window
        self._window_bits = window_bits
        self._lookahead_bits = lookahead_bits
        self._input = b""
        self._at = 0
        self._bits = 0  # read and not used yet, fewer than 30 of them: a small integer on every board
        self._bit_count = 0
        self._distance = 0
        self._count = 0  # bytes of the last reference that are still to come

    def read(self, length: int) -> bytearray:
        """Return the next `length` bytes. Raises HeatshrinkError where the stream ends before."""
        out = bytearray(length)
        at = 0
        while at < length:
            if self._count:
                at += self._copy(out, at)
            elif self._take(1):
                out[at] = self._window[self._head] = self._take(_BYTE_BITS)
                self._head = (self._head + 1) & (len(self._window) - 1)
                at += 1
            else:
                self._distance = self._take(self._window_bits) + 1
                self._count = self._take(self._lookahead_bits) + 1
        return out

    def finish(self) -> None:
        """Check that the stream ends here. Raises HeatshrinkError."""
        if self._count or self._at < len(self._input) or self._read_more():
            raise HeatshrinkError(reason="more behind the end")
        if self._bit_count >= _BYTE_BITS or self._bits:
            raise HeatshrinkError(reason="padding")

    def _take(self, count: int) -> int:
        """The next `count` bits of the stream, at most 16."""
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

    def _copy(self, out: bytearray, at: int) -> int:
        """Copy what is left of the last reference, as far as `out` has room from `at` on; gives how much that was."""
        count = min(self._count, len(out) - at)
        size = len(self._window)
        source = (self._head - self._distance) & (size - 1)
        length = min(count, self._distance)
        piece = self._window[source : source + length]
        if len(piece) < length:  # it goes round the end of the window
            piece += self._window[: length - len(piece)]
        if length < count:  # a reference into itself repeats
            piece = bytearray((bytes(piece) * (count // length + 1))[:count])
        out[at : at + count] = piece
        self._put(piece)
        self._count -= count
        return count

    def _put(self, piece: bytearray) -> None:
        room = len(self._window) - self._head
        if len(piece) < room:
            self._window[self._head : self._head + len(piece)] = piece
            self._head += len(piece)
        else:
            self._window[self._head :] = piece[:room]
            self._head = len(piece) - room
            self._window[: self._head] = piece[room:]

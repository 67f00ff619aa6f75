"""A delta payload: the new firmware, made from the running release and a detools patch.

Format: detools 0.53, patch type *sequential* with heatshrink (eerimoq/detools, its documentation).
One byte: type 0, compression 4; the target's size; one byte of heatshrink parameters. Then, compressed: the size of a
data-format patch, and rounds of [size, difference to the source], [size, new bytes], [move in the source] until the
target is complete. A number has 6 bits and a sign in its first byte, 7 bits in each further byte, least significant
first.

Rules:
1. The author signed the target's size. A patch whose sizes do not match it is refused.
2. Source and patch are read only inside their signed sizes. A number is at most 2**27.
3. Data formats, other types and other compressions are refused, so a patch cannot exceed the RAM in limits.py.
4. Rounds that make no bytes are limited, so every patch ends.
5. `finish` requires the exact end of the patch. The caller checks the target's digest.
"""

from device.codec.heatshrink import Decoder
from device.compat import const
from device.errors import DeltaError
from device.limits import DELTA_EMPTY_ROUNDS, DELTA_PIECE_BYTES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

_HEADER = const(0x04)  # sequential, heatshrink
_READ_BYTES = const(256)  # of the patch at once
_NUMBER_BITS = const(27)  # four bytes, 6 + 3 * 7 bits: more than any slot
_STRIDE = const(64)  # bytes compared at once: most differences are zero
_ZEROS = bytes(_STRIDE)


class Target:
    """The bytes of the target, one piece after the other.

    `read_patch(offset, length)` and `read_source(offset, length)` return exactly that many stored bytes.
    """

    def __init__(
        self,
        read_patch: "Callable[[int, int], bytes]",
        patch_bytes: int,
        read_source: "Callable[[int, int], bytes]",
        source_bytes: int,
        target_bytes: int,
    ) -> None:
        """Raises DeltaError, HeatshrinkError if the header of the patch does not fit this target."""
        self._read_patch = read_patch
        self._patch_bytes = patch_bytes
        self._patch_at = 0
        self._read_source = read_source
        self._source_bytes = source_bytes
        self._source_at = 0
        self._left = target_bytes  # not read yet
        self._unplanned = target_bytes  # in no round yet
        self._difference = self._new = 0  # bytes left of each in this round
        self._empty_rounds = 0
        self._made = bytearray(DELTA_PIECE_BYTES)
        self._made_view = memoryview(self._made)
        self._step = memoryview(bytearray(DELTA_PIECE_BYTES))  # differences
        if self._byte() != _HEADER:
            raise DeltaError(reason="patch type")
        if self._number(self._byte) != target_bytes or not target_bytes:
            raise DeltaError(reason="target size")
        parameters = self._byte()
        self._stream = Decoder(self._more, (parameters >> 4) + 4, (parameters & 15) + 3)
        if self._signed():
            raise DeltaError(reason="data format")
        self._begin_round()

    def read(self, length: int) -> bytearray:
        """Return the next `length` bytes of the target, at most DELTA_PIECE_BYTES; fewer at its end, then none.

        They are valid until the next call, which may use the same buffer. Raises DeltaError, HeatshrinkError.
        """
        length = min(length, DELTA_PIECE_BYTES, self._left)
        at = 0
        while at < length:
            if self._difference:
                count = min(length - at, self._difference)
                self._difference -= count
                self._change(at, count)
                at += count
            elif self._new:
                count = min(length - at, self._new)
                self._new -= count
                self._stream.read_into(self._made_view, at, at + count)
                at += count
            else:
                self._advance()
        self._left -= length
        return self._made if length == DELTA_PIECE_BYTES else self._made[:length]

    def finish(self) -> None:
        """Check that target and patch end here. Raises DeltaError, HeatshrinkError."""
        if self._left:
            raise DeltaError(reason="target is not complete")
        if not self._is_new:
            self._advance()
        self._move()  # the last round has one too
        self._stream.finish()

    # the patch ---------------------------------------------------------------------------------------------
    def _raw(self, length: int) -> bytes:
        if self._patch_at + length > self._patch_bytes:
            raise DeltaError(reason="truncated")
        data = self._read_patch(self._patch_at, length)
        self._patch_at += length
        return data

    def _byte(self) -> int:
        return self._raw(1)[0]

    def _more(self) -> bytes:
        """Return the next piece of the compressed patch, b"" at its end."""
        length = min(_READ_BYTES, self._patch_bytes - self._patch_at)
        return self._raw(length) if length else b""

    def _number(self, next_byte: "Callable[[], int]") -> int:
        byte = next_byte()
        is_negative = byte & 0x40
        value, shift = byte & 0x3F, 6
        while byte & 0x80:
            if shift >= _NUMBER_BITS:
                raise DeltaError(reason="number")
            byte = next_byte()
            value |= (byte & 0x7F) << shift
            shift += 7
        return -value if is_negative else value

    def _signed(self) -> int:
        return self._number(self._stream.byte)

    def _size(self, limit: int) -> int:
        """Read a size. Raises DeltaError if it is negative or above `limit`."""
        size = self._signed()
        if not 0 <= size <= limit:
            raise DeltaError(reason="size")
        return size

    # rounds ------------------------------------------------------------------------------------------------
    def _begin_round(self) -> None:
        """Begin a round. Its difference must fit into the rest of the target and of the source (rules 1 and 2)."""
        self._difference = self._size(min(self._unplanned, self._source_bytes - self._source_at))
        self._unplanned -= self._difference
        self._is_empty = self._difference == 0
        self._is_new = False  # whether the size of the new bytes was read

    def _advance(self) -> None:
        """Begin the new bytes of this round, or the next round."""
        if self._is_new:
            self._move()
            self._begin_round()
            return
        self._new = self._size(self._unplanned)
        self._unplanned -= self._new
        self._is_new = True
        if self._is_empty and not self._new:
            self._empty_rounds += 1
            if self._empty_rounds > DELTA_EMPTY_ROUNDS:
                raise DeltaError(reason="too many empty rounds")

    def _move(self) -> None:
        self._source_at += self._signed()
        if not 0 <= self._source_at <= self._source_bytes:
            raise DeltaError(reason="move in the source")

    def _change(self, at: int, count: int) -> None:
        """Write `count` bytes of the source plus the difference at `at`."""
        self._made[at : at + count] = self._read_source(self._source_at, count)
        self._source_at += count
        self._stream.read_into(self._step, 0, count)
        add(self._made, at, self._step, count)


def add(made: bytearray, at: int, step: memoryview, count: int) -> None:
    """Add each of the first `count` bytes of `step` to `made`, from `at` on, modulo 256."""
    for start in range(0, count, _STRIDE):
        end = min(start + _STRIDE, count)
        if step[start:end] != _ZEROS:  # a shorter end too
            for index in range(start, end):
                difference = step[index]
                if difference:
                    made[at + index] = (made[at + index] + difference) & 0xFF

"""Heatshrink streams: published ones, references into themselves and around the window, and refusals.

PUBLISHED is from heatshrink's own tests (atomicobject/heatshrink, test_heatshrink_dynamic.c).
"""

from binascii import unhexlify

from device.codec.heatshrink import Decoder
from device.errors import HeatshrinkError

# window bits, lookahead bits, stream, expanded bytes
PUBLISHED = (
    (7, 3, "b35bede0", b"foo"),
    (7, 6, "b35bede04100", b"foofoo"),
    (8, 7, "b0800180", b"aaaaa"),
    (8, 7, "804060503820", bytes(range(5))),
    (8, 3, "b0d8ac76401b", b"abcdabcd"),
    (8, 3, "b0d8ac76401bb280", b"abcdabcde"),
)


class Parts:
    """A stream that arrives `size` bytes at a time."""

    def __init__(self, data, size=3):
        self.data = data
        self.size = size

    def __call__(self):
        part, self.data = self.data[: self.size], self.data[self.size :]
        return part


def read(decoder, length):
    """Return the next `length` bytes, read into the middle of a larger buffer."""
    out = bytearray(length + 3)
    decoder.read_into(memoryview(out), 2, 2 + length)
    return bytes(out[2 : 2 + length])


def expand(data, window_bits, lookahead_bits, length, piece=2):
    decoder = Decoder(Parts(data), window_bits, lookahead_bits)
    out = b""
    while len(out) < length:
        out += read(decoder, min(piece, length - len(out)))
    decoder.finish()
    return out


class Writer:
    """Writes tokens into a stream."""

    def __init__(self, window_bits, lookahead_bits):
        self.bits = []
        self.window_bits = window_bits
        self.lookahead_bits = lookahead_bits

    def _put(self, value, count):
        for at in range(count - 1, -1, -1):
            self.bits.append(value >> at & 1)

    def literal(self, data):
        for byte in data:
            self._put(1, 1)
            self._put(byte, 8)
        return self

    def back(self, distance, count):
        self._put(0, 1)
        self._put(distance - 1, self.window_bits)
        self._put(count - 1, self.lookahead_bits)
        return self

    def data(self, padding=0):
        bits = self.bits + [padding] * (-len(self.bits) % 8)
        out = bytearray()
        for at in range(0, len(bits), 8):
            byte = 0
            for bit in bits[at : at + 8]:
                byte = byte << 1 | bit
            out.append(byte)
        return bytes(out)


def refused(reason, action):
    try:
        action()
    except HeatshrinkError as error:
        assert error.fields == {"reason": reason}
        return
    raise AssertionError("not refused: " + reason)


def test_published_streams_expand():
    for window_bits, lookahead_bits, stream, wanted in PUBLISHED:
        assert expand(unhexlify(stream), window_bits, lookahead_bits, len(wanted)) == wanted


def test_the_window_begins_as_zeros():
    assert expand(Writer(4, 3).back(16, 8).literal(b"x").data(), 4, 3, 9) == bytes(8) + b"x"


def test_references_go_round_the_window_and_into_themselves():
    writer = Writer(4, 3).literal(b"abcdefghijklmn").back(14, 8).back(3, 8).back(16, 5)
    made = bytearray(b"abcdefghijklmn")
    for distance, count in ((14, 8), (3, 8), (16, 5)):
        for _ in range(count):
            made.append(made[len(made) - distance])
    for piece in (1, 2, 5, 40):
        assert expand(writer.data(), 4, 3, len(made), piece) == bytes(made)


def test_a_window_or_lookahead_past_the_limits_is_refused_before_anything_is_allocated():
    refused("window", lambda: Decoder(Parts(b""), 12, 4))
    refused("window", lambda: Decoder(Parts(b""), 3, 3))
    refused("lookahead", lambda: Decoder(Parts(b""), 11, 10))
    refused("lookahead", lambda: Decoder(Parts(b""), 8, 2))
    refused("lookahead", lambda: Decoder(Parts(b""), 4, 4))


def test_a_stream_that_ends_early_is_refused():
    whole = Writer(8, 4).literal(b"abc").back(3, 9).data()
    for length in range(len(whole)):
        refused("truncated", lambda length=length: expand(whole[:length], 8, 4, 12))


def test_only_zero_bits_of_the_last_byte_may_follow():
    stream = Writer(8, 4).literal(b"abc")
    assert expand(stream.data(), 8, 4, 3) == b"abc"
    refused("padding", lambda: expand(stream.data(padding=1), 8, 4, 3))
    refused("more behind the end", lambda: expand(stream.data() + b"\0", 8, 4, 3))
    refused("more behind the end", lambda: expand(Writer(8, 4).literal(b"abc").back(1, 2).data(), 8, 4, 4))

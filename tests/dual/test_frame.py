"""Frames of the factory port, on CPython and on the board."""

import binascii

from device.codec.frame import PAYLOAD_BYTES, FrameDecoder, crc32, crc32_by_nibbles, encode_frame
from device.errors import LimitError
from device.limits import FACTORY_FRAME_BYTES


def test_a_frame_comes_back_as_it_was_sent():
    decoder = FrameDecoder()
    payload = bytes(range(256))
    assert decoder.feed(encode_frame(payload)) == [payload]
    assert decoder.dropped == 0


def test_a_known_frame_has_the_bytes_of_rfc_1055_and_crc_32():
    # CRC-32 of "123456789" is 0xCBF43926, the check value of the algorithm's catalogue entry.
    assert encode_frame(b"123456789") == b"\xc0123456789" + binascii.unhexlify("2639f4cb") + b"\xc0"
    assert encode_frame(b"\xc0\xdb")[:5] == b"\xc0\xdb\xdc\xdb\xdd"


def test_both_checksum_routines_agree():
    for length in (0, 1, 3, 64, 255):
        data = bytes([(7 * i + length) & 255 for i in range(length)])
        assert crc32(data) == crc32_by_nibbles(data)


def test_a_frame_split_into_single_bytes_is_put_together():
    decoder = FrameDecoder()
    found = []
    for byte in encode_frame(b"\xdb\xc0 split"):
        found += decoder.feed(bytes((byte,)))
    assert found == [b"\xdb\xc0 split"]


def test_a_damaged_byte_drops_the_frame_and_the_next_one_arrives():
    frame = bytearray(encode_frame(b"first"))
    frame[2] ^= 1
    decoder = FrameDecoder()
    assert decoder.feed(bytes(frame) + encode_frame(b"second")) == [b"second"]
    assert decoder.dropped == 1


def test_noise_before_a_frame_does_not_cost_the_frame():
    decoder = FrameDecoder()
    assert decoder.feed(b"\x00noise\xff\xdb" + encode_frame(b"good")) == [b"good"]
    assert decoder.dropped == 1


def test_a_frame_that_never_ends_is_dropped_within_the_bound():
    decoder = FrameDecoder()
    for _ in range(3):
        assert decoder.feed(b"x" * FACTORY_FRAME_BYTES) == []
    assert decoder.feed(b"\xc0" + encode_frame(b"after")) == [b"after"]
    assert decoder.dropped == 1


def test_the_memory_of_a_frame_grows_with_it_and_is_free_after_it():
    decoder = FrameDecoder()
    assert len(decoder._buffer) == 0
    frame = encode_frame(b"x" * 300)
    assert decoder.feed(frame[:-1]) == []
    assert len(decoder._buffer) == 512
    assert decoder.feed(frame[-1:]) == [b"x" * 300]
    assert len(decoder._buffer) == 0


def test_an_unknown_escape_drops_the_frame():
    decoder = FrameDecoder()
    assert decoder.feed(b"\xc0\xdb\x00abcdef\xc0" + encode_frame(b"after")) == [b"after"]
    assert decoder.dropped == 1


def test_empty_frames_are_no_error():
    decoder = FrameDecoder()
    assert decoder.feed(b"\xc0\xc0\xc0") == []
    assert decoder.dropped == 0


def test_the_largest_payload_passes_and_one_byte_more_is_refused():
    decoder = FrameDecoder()
    largest = b"\xc0" * PAYLOAD_BYTES
    assert decoder.feed(encode_frame(largest)) == [largest]
    try:
        encode_frame(largest + b"x")
    except LimitError:
        return
    assert False, "an oversize payload was framed"  # noqa: B011 - dual tests have no pytest

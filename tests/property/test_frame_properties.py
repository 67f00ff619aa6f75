"""Frames under any payload, any split and any noise."""

from hypothesis import given
from hypothesis import strategies as st

from device.codec.frame import PAYLOAD_BYTES, FrameDecoder, crc32, crc32_by_nibbles, encode_frame

payloads = st.binary(min_size=1, max_size=300)


@given(st.lists(payloads, max_size=5), st.data())
def test_payloads_survive_any_split_of_the_stream(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(encode_frame(payload) for payload in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = FrameDecoder()
    found: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[start:end])
    assert found == sent


@given(st.binary(max_size=3000), payloads)
def test_after_any_noise_the_second_frame_arrives(noise: bytes, payload: bytes) -> None:
    decoder = FrameDecoder()
    decoder.feed(noise)
    # Noise may swallow the opening END of the first frame into an escape, never the frame after it.
    found = decoder.feed(encode_frame(b"lost or not") + encode_frame(payload))
    assert found[-1] == payload


@given(payloads, st.integers(0, 10_000), st.integers(1, 255))
def test_no_single_damaged_byte_yields_another_payload(payload: bytes, place: int, flip: int) -> None:
    frame = bytearray(encode_frame(payload))
    frame[place % len(frame)] ^= flip
    assert all(found == payload for found in FrameDecoder().feed(bytes(frame)))


@given(st.binary(max_size=2 * PAYLOAD_BYTES))
def test_garbage_never_raises(garbage: bytes) -> None:
    FrameDecoder().feed(garbage)


@given(st.binary(max_size=500))
def test_the_checksum_in_python_equals_the_one_in_c(data: bytes) -> None:
    assert crc32(data) == crc32_by_nibbles(data)

"""ESP-IDF's images: no changed byte passes, and any bytes end in a typed refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_esp_image import SECTOR_BYTES, esp_image, parse, signed

from device.errors import ImageFormatError

IMAGE = esp_image()
SIGNED = signed(IMAGE)
BLOCK_END = SECTOR_BYTES + 1200  # then 16 bytes that no one reads, and blank places for two more blocks


@given(st.integers(0, len(IMAGE) - 1), st.integers(1, 255))
def test_an_image_with_any_changed_byte_is_refused(position: int, change: int) -> None:
    image = bytearray(IMAGE)
    image[position] ^= change
    with pytest.raises(ImageFormatError):
        parse(bytes(image))


@given(st.integers(0, BLOCK_END - 1), st.integers(1, 255))
def test_a_signed_image_with_any_changed_byte_is_refused(position: int, change: int) -> None:
    image = bytearray(SIGNED)
    image[position] ^= change
    with pytest.raises(ImageFormatError):
        parse(bytes(image), True)


@given(st.binary(max_size=400))
def test_any_bytes_end_in_a_typed_refusal(noise: bytes) -> None:
    with pytest.raises(ImageFormatError):
        parse(b"\xe9" + noise, True)


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(0, 999999999)] * 4))
def test_counter_and_version_read_back(counter: int, version: tuple[int, int, int, int]) -> None:
    text = "{}.{}.{}+{}".format(*version).encode()
    if len(text) <= 32:
        info = parse(signed(esp_image(text, counter=counter)), True)
        assert (info.version, info.security_counter) == (version, counter)

"""The device's decoder of patches against detools and heatshrink2, which share no code with it."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.codec.heatshrink import Decoder
from device.errors import DeltaError, HeatshrinkError
from device.limits import HEATSHRINK_LOOKAHEAD_BITS, HEATSHRINK_WINDOW_BITS
from device.update.delta import Target
from provisioning.release.delta import apply_patch, create_patch

pytest.importorskip("detools", reason="detools is not installed (make setup builds it)")
import detools
import heatshrink2

# Bytes with repetitions, as code has them: pieces of a small alphabet, runs, and noise.
pieces = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda byte, count: bytes((byte,)) * count, st.integers(0, 255), st.integers(1, 3000)),
    st.text("abc", max_size=60).map(str.encode),
)
contents = st.lists(pieces, max_size=12).map(b"".join)
windows = st.integers(4, HEATSHRINK_WINDOW_BITS).flatmap(
    lambda bits: st.tuples(st.just(bits), st.integers(3, min(bits - 1, HEATSHRINK_LOOKAHEAD_BITS)))
)


@st.composite
def releases(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Generate an old payload, and a new one from parts of it and new bytes."""
    old = draw(contents)
    parts = []
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(old)))
        part = bytearray(old[start : start + draw(st.integers(0, 2000))])
        for at in draw(st.lists(st.integers(0, max(0, len(part) - 1)), max_size=5)):
            if part:
                part[at] = (part[at] + draw(st.integers(0, 255))) % 256
        parts += [bytes(part), draw(pieces)]
    return old, b"".join(parts) or b"x"


@given(contents, windows, st.integers(1, 600), st.integers(1, 600))
def test_every_stream_of_heatshrink_expands_to_what_was_packed(
    content: bytes, bits: tuple[int, int], in_bytes: int, out_bytes: int
) -> None:
    stream = io.BytesIO(heatshrink2.compress(content, window_sz2=bits[0], lookahead_sz2=bits[1]))
    decoder = Decoder(lambda: stream.read(in_bytes), *bits)
    found = b""
    while len(found) < len(content):
        part = bytearray(min(out_bytes, len(content) - len(found)))
        decoder.read_into(memoryview(part), 0, len(part))
        found += part
    decoder.finish()
    assert found == content


@given(releases(), windows)
def test_every_patch_of_detools_makes_what_detools_makes_of_it(
    pair: tuple[bytes, bytes], bits: tuple[int, int]
) -> None:
    old, new = pair
    patch = create_patch(old, new, *bits)
    made = io.BytesIO()
    detools.apply_patch(io.BytesIO(old), io.BytesIO(patch), made)
    assert apply_patch(old, patch, len(new)) == made.getvalue() == new


@given(releases(), st.data())
def test_a_damaged_patch_ends_with_a_typed_error_or_a_target_of_the_signed_size(
    pair: tuple[bytes, bytes], data: st.DataObject
) -> None:
    """The decoder never reads outside of source and patch: the readers here refuse that."""
    old, new = pair
    damaged = bytearray(create_patch(old, new))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.sampled_from((0, 0, 1, len(damaged) // 2)))
    _attempt(bytes(damaged[: len(damaged) - cut]), old, len(new))


@given(st.binary(max_size=200), st.integers(1, 5000))
def test_noise_ends_with_a_typed_error_or_a_target_of_the_signed_size(noise: bytes, size: int) -> None:
    _attempt(noise, b"old release" * 50, size)
    head = b"\x04" + _packed(size) + b"\x76"
    _attempt(head + noise, b"old release" * 50, size)


def _packed(size: int) -> bytes:
    out = [size & 0x3F]
    size >>= 6
    while size:
        out[-1] |= 0x80
        out.append(size & 0x7F)
        size >>= 7
    return bytes(out)


def _attempt(patch: bytes, old: bytes, size: int) -> None:
    def reader(data: bytes):
        def read(offset: int, length: int) -> bytes:
            assert 0 <= offset <= offset + length <= len(data)
            return data[offset : offset + length]

        return read

    made = 0
    try:
        target = Target(reader(patch), len(patch), reader(old), len(old), size)
        while piece := target.read(512):
            made += len(piece)
        target.finish()
    except (DeltaError, HeatshrinkError):
        assert made <= size
        return
    assert made == size


def test_patches_between_large_images_are_those_of_detools() -> None:
    """Two images of 200 KB that share most of their bytes, moved, changed and added to."""
    rng = random.Random(7)
    old = bytes(rng.choice(b"\x00\x01\x20\x46\xbf") for _ in range(200_000))
    new = bytearray(old[:50_000] + rng.randbytes(3000) + old[50_000:120_000] + old[150_000:] + old[:10_000])
    for at in range(0, len(new), 997):
        new[at] = (new[at] + 4) % 256
    patch = create_patch(old, bytes(new))
    assert apply_patch(old, patch, len(new)) == bytes(new)
    assert len(patch) < len(new) // 4

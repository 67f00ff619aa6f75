"""Bundles with arbitrary files and arbitrary damage; cbor2 reads them as an independent peer."""

from __future__ import annotations

import hashlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import limits
from device.codec import bundle, cbor
from device.errors import BundleError, FirstbootError

parts = st.text("abcxyz019_-", min_size=1, max_size=6)
names = st.lists(parts, min_size=1, max_size=3).map("/".join)
contents = st.binary(max_size=400)


@st.composite
def file_sets(draw: st.DrawFn) -> dict[str, bytes]:
    """Generate files with a start module, of which no name is the folder of another."""
    files = draw(st.dictionaries(names, contents, max_size=6))
    files[draw(st.sampled_from(bundle.STARTS))] = draw(contents)
    taken = bundle.folders(list(files))
    return {name: content for name, content in files.items() if name not in taken}


class Bytes:
    """A bundle that records the longest read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.longest = 0

    def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0 and length >= 0 and offset + length <= len(self.data)
        self.longest = max(self.longest, length)
        return self.data[offset : offset + length]

    def files(self) -> tuple[bundle.File, ...]:
        return bundle.decode(self.read, len(self.data))


@given(file_sets())
def test_files_come_back_and_a_peer_reads_the_same(files: dict[str, bytes]) -> None:
    data = bundle.encode(files)
    version, index, content = cbor2.loads(data)
    assert (version, content) == (1, b"".join(files[name] for name in sorted(files)))
    assert cbor2.loads(index) == [
        [name, len(files[name]), hashlib.sha256(files[name]).digest()] for name in sorted(files)
    ]
    source = Bytes(data)
    found = {one.name: data[one.offset : one.offset + one.size] for one in source.files()}
    assert found == files


@given(file_sets(), st.data())
def test_a_damaged_bundle_is_refused_or_is_the_one_encoding_of_what_it_says(
    files: dict[str, bytes], data: st.DataObject
) -> None:
    damaged = bytearray(bundle.encode(files))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] ^= data.draw(st.integers(1, 255))
    source = Bytes(bytes(damaged))
    try:
        found = source.files()
    except FirstbootError:
        return
    finally:
        assert source.longest <= limits.APP_INDEX_BYTES
    index = cbor.encode([[one.name, one.size, one.digest] for one in found])
    assert cbor.encode([1, index, bytes(damaged[found[0].offset :])]) == damaged
    assert [one.name for one in found] == sorted({one.name for one in found})
    assert found[-1].offset + found[-1].size == len(damaged)


@given(st.binary(max_size=200), st.booleans())
def test_garbage_is_refused_with_a_typed_error(garbage: bytes, is_begun: bool) -> None:
    source = Bytes(b"\x83\x01" + garbage if is_begun else garbage)
    try:
        source.files()
    except FirstbootError:
        pass
    assert source.longest <= limits.APP_INDEX_BYTES


@given(st.integers(0, 1 << 40), st.sampled_from([0x58, 0x59, 0x5A, 0x5B]))
def test_no_length_of_a_bundle_makes_anybody_read_past_its_end(length: int, head: int) -> None:
    size = 1 << (head - 0x58)
    source = Bytes(
        b"\x83\x01" + bytes((head,)) + (length % (1 << 8 * size)).to_bytes(size, "big") + bytes(20)
    )
    with pytest.raises(FirstbootError):
        source.files()


@given(st.text(max_size=20))
def test_only_names_of_the_alphabet_are_names(name: str) -> None:
    is_good = bundle.is_name(name)
    assert not is_good or not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789_-./")
    if not is_good:
        with pytest.raises((BundleError, FirstbootError)):
            bundle.encode({"__init__.py": b"", name: b""})

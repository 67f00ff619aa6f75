"""CBOR over all values that fit: round trips, one encoding, the same verdicts as an independent peer."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.codec import cbor
from device.errors import CborError, CodecError

INTEGERS = st.integers(-(2**64), 2**64 - 1)
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
KEYS = st.one_of(INTEGERS, TEXT, st.binary(max_size=20))
LEAVES = st.one_of(st.none(), st.booleans(), INTEGERS, TEXT, st.binary(max_size=300))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=25,
)


@given(VALUES)
def test_what_is_encoded_decodes_to_the_same_and_encodes_the_same(value: object) -> None:
    data = cbor.encode(value)
    decoded = cbor.decode(data)
    assert decoded == value
    assert cbor.encode(decoded) == data


@given(VALUES)
def test_an_independent_peer_reads_what_we_write(value: object) -> None:
    assert cbor2.loads(cbor.encode(value)) == value


@given(VALUES)
def test_what_an_independent_peer_writes_is_read_or_refused_for_its_key_order(value: object) -> None:
    data = cbor2.dumps(value)
    try:
        assert cbor.decode(data) == value
    except CborError as error:
        assert error.fields["reason"] == "map keys out of order"
        assert data != cbor.encode(value)


@given(st.binary(max_size=60))
def test_bytes_of_anyone_are_read_as_their_one_encoding_or_refused(data: bytes) -> None:
    try:
        value = cbor.decode(data)
    except CodecError:
        return
    assert cbor.encode(value) == data


@given(VALUES, st.data())
def test_damage_is_refused_or_read_as_another_one_encoding(value: object, draw: st.DataObject) -> None:
    data = bytearray(cbor.encode(value))
    data[draw.draw(st.integers(0, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        decoded = cbor.decode(bytes(data))
    except CodecError:
        return
    assert cbor.encode(decoded) == bytes(data)


@given(VALUES, st.binary(min_size=1, max_size=4))
def test_an_encoding_is_not_a_prefix_and_has_no_bytes_after_it(value: object, tail: bytes) -> None:
    data = cbor.encode(value)
    for wrong in (data[:-1], data + tail):
        with pytest.raises(CborError):
            cbor.decode(wrong)


@given(st.binary(max_size=12))
def test_text_is_taken_exactly_when_it_is_utf8(content: bytes) -> None:
    data = bytes([0x60 + len(content)]) + content
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        with pytest.raises(CborError):
            cbor.decode(data)
    else:
        assert cbor.decode(data) == text

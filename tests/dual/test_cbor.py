"""CBOR: the deterministic encoding and its strict decoder, on CPython and on the board."""

import gc

from device.codec import cbor, cbor_reader
from device.errors import CborError, LimitError
from device.limits import CBOR_DEPTH, CBOR_ITEMS, UNVERIFIED_ITEMS
from device.suit import envelope


def refused(data, reason):
    try:
        cbor.decode(data)
    except CborError as error:
        assert error.fields["reason"] == reason, error.fields["reason"]
        return
    raise AssertionError("accepted " + data.hex())


def test_integers_take_their_shortest_form():
    pairs = (
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (65535, "19ffff"),
        (65536, "1a00010000"),
        (2**32 - 1, "1affffffff"),
        (2**32, "1b0000000100000000"),
        (2**64 - 1, "1bffffffffffffffff"),
        (-1, "20"),
        (-24, "37"),
        (-25, "3818"),
        (-(2**64), "3bffffffffffffffff"),
    )
    for value, text in pairs:
        assert cbor.encode(value).hex() == text
        assert cbor.decode(bytes.fromhex(text)) == value


def test_an_integer_beyond_64_bits_is_refused():
    for value in (2**64, -(2**64) - 1):
        try:
            cbor.encode(value)
        except CborError:
            continue
        raise AssertionError("encoded")


def test_a_bool_is_no_integer():
    assert cbor.encode(True) == b"\xf5"
    assert cbor.encode(False) == b"\xf4"
    assert cbor.encode([1, 0]) == b"\x82\x01\x00"
    assert cbor.decode(b"\xf5") is True
    assert cbor.decode(b"\xf4") is False


def test_null_strings_and_tags_round_trip():
    for value in (None, b"", b"\x00\xff", "", "a", "\u00fc\u6c34\U00010151", cbor.Tag(107, {2: b"x"})):
        assert cbor.decode(cbor.encode(value)) == value


def test_map_keys_are_sorted_by_their_encoded_bytes():
    value = {"aa": 1, "b": 2, 100: 3, -1: 4, 10: 5, b"z": 6}
    assert cbor.encode(value).hex() == "a60a051864032004417a066162026261610" + "1"


def test_tuples_bytearrays_and_memoryviews_encode_as_arrays_and_strings():
    assert cbor.encode((1, bytearray(b"a"), memoryview(b"b"))) == b"\x83\x01\x41a\x41b"


def test_unsorted_keys_are_refused():
    refused(b"\xa2\x02\x00\x01\x00", "map keys out of order")


def test_a_key_that_occurs_twice_is_refused():
    refused(b"\xa2\x01\x00\x01\x00", "map keys out of order")


def test_integers_and_lengths_in_longer_forms_are_refused():
    for text in (
        "1817",
        "190017",
        "1900ff",
        "1a0000ffff",
        "1b00000000ffffffff",
        "580161",
        "5900016100",
        "980101",
    ):
        refused(bytes.fromhex(text), "not the shortest form")


def test_indefinite_lengths_are_refused():
    for text in ("5f4101ff", "7f6161ff", "9f01ff", "bf0101ff"):
        refused(bytes.fromhex(text), "indefinite length")


def test_reserved_lengths_are_refused():
    for text in ("1c", "3d", "5e"):
        refused(bytes.fromhex(text), "reserved")


def test_floats_are_refused():
    for text in ("f90000", "fa00000000", "fb0000000000000000"):
        refused(bytes.fromhex(text), "float")


def test_other_simple_values_and_undefined_and_break_are_refused():
    for text in ("f7", "f0", "e0", "f818", "ff", "fc"):
        refused(bytes.fromhex(text), "simple value")


def test_bytes_after_the_item_are_refused():
    refused(b"\x00\x00", "bytes after the item")


def test_every_truncation_is_refused():
    data = cbor.encode({1: [b"abc", "text", 70000], 2: cbor.Tag(18, [None, True])})
    for length in range(len(data)):
        refused(data[:length], "truncated")


def test_a_length_past_the_end_is_refused_without_making_room_for_it():
    for text in ("5affffffff", "7b7fffffffffffffff", "5bffffffffffffffff"):
        refused(bytes.fromhex(text), "truncated")


def test_text_that_is_not_utf8_is_refused():
    # A stray continuation, an overlong form, a surrogate, a point past U+10FFFF, a cut sequence.
    for text in ("6180", "62c080", "63eda080", "64f4908080", "61c3", "64f0808080", "63e08080"):
        refused(bytes.fromhex(text), "not UTF-8")


def test_containers_and_simple_values_are_no_map_keys():
    for text in ("a18000", "a1a000", "a1f400", "a1c10000", "a1f93c0000"):
        refused(bytes.fromhex(text), "bad map key")


def test_nesting_stops_at_its_bound():
    assert cbor.decode(b"\x81" * CBOR_DEPTH + b"\x00")
    for data in (b"\x81" * (CBOR_DEPTH + 1) + b"\x00", b"\xc1" * (CBOR_DEPTH + 1) + b"\x00"):
        try:
            cbor.decode(data)
        except LimitError as error:
            assert error.fields["limit"] == CBOR_DEPTH
            continue
        raise AssertionError("accepted")


def test_the_encoder_stops_at_the_same_nesting():
    value = 0
    for _ in range(CBOR_DEPTH):
        value = [value]
    assert cbor.decode(cbor.encode(value)) == value
    try:
        cbor.encode([value])
    except LimitError:
        return
    raise AssertionError("encoded")


def test_entries_stop_at_their_bound():
    assert len(cbor.decode(cbor.encode([0] * CBOR_ITEMS))) == CBOR_ITEMS
    for head in (b"\x99\x02\x01", b"\xb9\x02\x01"):
        try:
            cbor.decode(head + b"\x00" * (2 * CBOR_ITEMS + 2))
        except LimitError as error:
            assert error.fields["limit"] == CBOR_ITEMS
            continue
        raise AssertionError("accepted")


def refusal(data, *limits):
    try:
        cbor.decode(data, *limits)
    except LimitError as error:
        return error
    raise AssertionError("accepted")


def test_entries_of_one_message_are_counted_together():
    # 15 lists of 512 empty lists: no array is too long by itself, together they are 7 680 objects.
    many = b"\x8f" + (b"\x99\x02\x00" + b"\x80" * 512) * 15
    assert refusal(many).fields == {"what": "CBOR entries", "limit": CBOR_ITEMS}
    # Maps count keys and values, tags count their content.
    pairs = b"\x82" + (b"\xb8\x80" + b"".join([cbor.encode(n) + b"\x80" for n in range(128)])) * 2
    assert refusal(pairs).fields["limit"] == CBOR_ITEMS
    assert refusal(b"\x81" + b"\xc1" * 3 + b"\x80", 64, 3).fields["limit"] == 3
    assert cbor.decode(b"\x81" + b"\xc1" * 2 + b"\x80", 64, 3)


def test_encoder_keeps_the_bound_of_the_decoder():
    value = [[0] * 300, [0] * 300]
    try:
        cbor.encode(value)
    except LimitError as error:
        assert error.fields["limit"] == CBOR_ITEMS
        return
    raise AssertionError("encoded")


def test_unverified_message_is_refused_inside_its_memory_budget():
    bomb = b"\xd8\x6b\xa1\x02\x8f" + (b"\x99\x02\x00" + b"\x80" * 512) * 15
    if hasattr(gc, "mem_alloc"):  # a board: count the garbage that the refusal leaves
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
    try:
        envelope.decode(bomb)
    except LimitError as error:
        found = error.fields["limit"]
    if hasattr(gc, "mem_alloc"):
        used = gc.mem_alloc() - before
        gc.enable()
        assert used < 19 * 1024, used
    assert found == UNVERIFIED_ITEMS


def test_size_stops_at_the_given_bound():
    assert cbor.decode(b"\x43abc", limit=4) == b"abc"
    try:
        cbor.decode(b"\x44abcd", limit=4)
    except LimitError as error:
        assert error.fields["limit"] == 4
        return
    raise AssertionError("accepted")


def test_values_that_cbor_does_not_carry_are_refused():
    for value in (1.5, object(), {1.5: 0}, {True: 0}, {(1,): 0}, cbor.Tag(-1, 0)):
        try:
            cbor.encode(value)
        except CborError:
            continue
        raise AssertionError("encoded")


def test_check_map_wants_every_required_key_and_no_unknown_one():
    spec = ((1, int), (2, bytes))
    assert cbor.check_map({1: 5, 2: b""}, spec)[1] == 5
    assert cbor.check_map({1: 5, 2: b"", 3: "x"}, spec, ((3, str),))[3] == "x"
    for value in (
        {1: 5},
        {1: 5, 2: "x"},
        {1: True, 2: b""},
        {1: 5, 2: b"", 3: 0},
        [1, 2],
        {1: 5, 2: b"", 4: 0},
    ):
        try:
            cbor.check_map(value, spec, ((3, str),))
        except CborError:
            continue
        raise AssertionError(str(value))


def in_python(data, items, has_array_keys):
    return cbor_reader.read(data, items, has_array_keys, cbor.Tag)


def in_c(data, items, has_array_keys):
    return cbor.decode(data, len(data), items, has_array_keys)


def outcome(decoder, *arguments):
    """Return (value, None), or (None, text of the refusal)."""
    try:
        return decoder(*arguments), None
    except (CborError, LimitError) as error:
        return None, error.describe()


def is_same(one, other):
    """Return whether two decoded values are equal and of the same types at every level."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, dict):
        return not [key for key in one if not is_same(one[key], other[key])]
    if isinstance(one, (list, tuple)):
        return not [at for at in range(len(one)) if not is_same(one[at], other[at])]
    return True


def check_both(data, items=CBOR_ITEMS, has_array_keys=False):
    """Return whether both decoders take `data`. They give the same value, or the same refusal."""
    mine, reason = outcome(in_c, data, items, has_array_keys)
    its, its_reason = outcome(in_python, data, items, has_array_keys)
    assert reason == its_reason, (data.hex(), reason, its_reason)
    assert is_same(mine, its), data.hex()
    return reason is None


def test_the_c_module_gives_the_values_of_the_reference():
    values = [2**shift + more for shift in (0, 4, 8, 16, 29, 30, 31, 32, 61, 62, 63) for more in (-1, 0, 1)]
    values += [-1 - value for value in values] + [
        2**64 - 1,
        -(2**64),
        None,
        True,
        False,
        b"",
        "",
        "\u00fc\u6c34",
        [],
        {},
    ]
    for value in values:
        assert check_both(cbor.encode(value))
        assert check_both(cbor.encode({1: [value, cbor.Tag(7, value)], "k": {b"x": value}}))
    for value in values[:40]:
        assert check_both(cbor.encode({value: value}))
    assert check_both(b"\xa2\x80\x01\x82\x41a\x41b\x02", CBOR_ITEMS, True)
    assert not check_both(b"\xa1\x82\x41a\x61b\x02", CBOR_ITEMS, True)


def test_the_c_module_reads_any_buffer_like_the_reference():
    data = cbor.encode({1: [b"abc", "text", 70000]})
    for copy in (bytearray(data), memoryview(data)):
        assert check_both(copy)


def test_the_c_module_gives_the_verdicts_of_the_reference_on_damaged_messages():
    whole = cbor.encode(
        {1: [b"x", "y\u00fc", -5, None, True, 70000], 24: {}, "z": cbor.Tag(18, {b"k": [[2**40]]})}
    )
    taken = 0
    for at in range(len(whole)):
        check_both(whole[:at])
        for mark in (
            0x00,
            0x18,
            0x1F,
            0x3B,
            0x41,
            0x5F,
            0x61,
            0x7A,
            0x81,
            0x9F,
            0xA1,
            0xC1,
            0xE0,
            0xF4,
            0xF9,
            0xFF,
        ):
            damaged = bytearray(whole)
            damaged[at] = mark
            taken += check_both(bytes(damaged))
            check_both(bytes(damaged), 9, True)
    assert 0 < taken < 16 * len(whole)

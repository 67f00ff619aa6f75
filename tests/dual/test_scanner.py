"""Scanning a known form of CBOR: the C module where the board has it, and the reference in Python."""

from device.codec import cbor, scanner

UINT, BYTES = scanner.UINT, scanner.BYTES
FORM = (b"\x82", UINT, BYTES, b"ab", 3)
DATA = b"\x82\x18\x64\x42xyab123"


def both(data, form, start=0, end=None):
    """Return what cbor.scan finds. Raises AssertionError if the reference finds something else."""
    end = len(data) if end is None else end
    found = cbor.scan(data, start, end, form)
    assert scanner.scan(data, start, end, form) == found, (data, form, found)
    return found


def test_numbers_and_places_are_found():
    assert both(DATA, FORM) == (100, 4, 6, 8)
    assert both(memoryview(DATA), FORM) == (100, 4, 6, 8)


def test_only_the_range_is_read():
    assert both(b"\x00" + DATA + b"\x00", FORM, 1, 1 + len(DATA)) == (100, 5, 7, 9)
    assert both(b"\x00" + DATA + b"\x00", FORM, 0, 1 + len(DATA)) is None
    assert both(b"\x00" + DATA + b"\x00", FORM, 1, 2 + len(DATA)) is None


def test_nothing_is_found_without_a_variable_part():
    assert both(b"ab", (b"a", b"b")) == ()
    assert both(b"", ()) == ()


def test_a_constant_must_be_there():
    assert both(b"ac", (b"ab",)) is None
    assert both(b"a", (b"ab",)) is None


def test_no_constant_goes_beyond_the_end():
    assert both(b"abc", (b"abc",), 0, 2) is None


def test_no_number_goes_beyond_the_end():
    for size in (1, 2, 4, 8):
        head = bytes((0x17 + (1, 2, 4, 8).index(size) + 1,)) + b"\xff" * size
        assert both(head, (UINT,)) == (256**size - 1,)
        for end in range(len(head)):
            assert both(head, (UINT,), 0, end) is None
            assert both(head[:end], (UINT,)) is None


def test_no_byte_string_goes_beyond_the_end():
    assert both(b"\x42ab", (BYTES,)) == (1, 3)
    assert both(b"\x42ab", (BYTES,), 0, 2) is None
    assert both(b"\x42a", (BYTES,)) is None
    for head in (b"\x5a\xff\xff\xff\xff", b"\x5b" + b"\xff" * 8, b"\x5b\x7f" + b"\xff" * 7):
        assert both(head + b"ab", (BYTES,)) is None


def test_no_number_of_bytes_goes_beyond_the_end():
    assert both(b"abc", (3,)) == (0,)
    assert both(b"ab", (3,)) is None
    assert both(b"abc", (3,), 0, 2) is None


def test_only_the_shortest_form_of_a_number_is_taken():
    for number in (0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1):
        assert both(cbor.encode(number), (UINT,)) == (number,)
    for data in (
        b"\x18\x17",
        b"\x19\x00\xff",
        b"\x1a\x00\x00\xff\xff",
        b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff",
    ):
        assert both(data, (UINT,)) is None
        assert both(bytes((data[0] | 0x40,)) + data[1:] + bytes(255), (BYTES,)) is None


def test_another_type_or_a_reserved_length_is_not_taken():
    for initial in range(256):
        found = both(bytes((initial,)), (UINT,))
        assert found == ((initial,) if initial < 24 else None)
        found = both(bytes((initial,)) + bytes(23), (BYTES,))
        assert found == ((1, 24) if initial == 0x57 else None)
    for initial in (28, 29, 30, 31):
        for length in (0, 16, 32, 64):
            assert both(bytes((initial,)) + b"\xff" * length, (UINT,)) is None


def test_bytes_after_the_form_are_not_taken():
    assert both(DATA + b"\x00", FORM) is None


def test_every_changed_byte_gives_the_same_with_both():
    for at in range(len(DATA)):
        for byte in range(256):
            both(DATA[:at] + bytes((byte,)) + DATA[at + 1 :], FORM)


def test_every_cut_gives_the_same_with_both():
    for start in range(len(DATA) + 1):
        for end in range(start, len(DATA) + 1):
            both(DATA, FORM, start, end)

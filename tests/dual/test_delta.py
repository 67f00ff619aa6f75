"""Patches of detools: their results, and every way in which a patch is refused.

GOOD was made by detools 0.53.0 from SOURCE and TARGET; tests/property/test_delta_properties.py makes many more.
"""

from binascii import unhexlify

from test_heatshrink import Writer

from device.errors import DeltaError, HeatshrinkError
from device.update.delta import Target, add

SOURCE = bytes([n * 7 % 256 for n in range(900)])
TARGET = SOURCE[:300] + b"something new" + SOURCE[200:700] + bytes([(n * 7 + 1) % 256 for n in range(90)])

GOOD = unhexlify(
    "04870e76806b20825b2b86dcedf6db2dd2d169b759e416eb2ddf3906804038027e02e0413690733cfa517350105d2d76a020"
)


def number(value):
    """Return a size as detools packs it."""
    sign = 0x40 if value < 0 else 0
    value = abs(value)
    out = [sign | value & 0x3F]
    value >>= 6
    while value:
        out[-1] |= 0x80
        out.append(value & 0x7F)
        value >>= 7
    return bytes(out)


def packed(body, window_bits, lookahead_bits):
    """Return a stream of literals, and references for runs of one byte."""
    writer = Writer(window_bits, lookahead_bits)
    at = 0
    while at < len(body):
        end = at + 1
        while end < len(body) and body[end] == body[at] and end - at <= 1 << lookahead_bits:
            end += 1
        writer.literal(body[at : at + 1])
        if end - at > 1:
            writer.back(1, end - at - 1)
        at = end
    return writer.data()


def patch(rounds, target_bytes, window_bits=8, lookahead_bits=4, data_format=b"\0", head=4):
    """Return a patch of (difference, new bytes, move)."""
    body = data_format
    for difference, new, move in rounds:
        body += number(len(difference)) + difference + number(len(new)) + new + number(move)
    parameters = bytes(((window_bits - 4) << 4 | (lookahead_bits - 3),))
    stream = packed(body, window_bits, lookahead_bits)
    return bytes((head,)) + number(target_bytes) + parameters + stream


def made(data, target_bytes, source=SOURCE, piece=512):
    def read_patch(offset, length):
        assert 0 <= offset and offset + length <= len(data)
        return data[offset : offset + length]

    def read_source(offset, length):
        assert 0 <= offset and offset + length <= len(source)
        return source[offset : offset + length]

    target = Target(read_patch, len(data), read_source, len(source), target_bytes)
    out = b""
    while True:
        found = target.read(piece)
        if not found:
            break
        out += found
    target.finish()
    return out


def refused(reason, data, target_bytes, source=SOURCE):
    try:
        made(data, target_bytes, source)
    except (DeltaError, HeatshrinkError) as error:
        assert error.fields == {"reason": reason}, error.describe()
        return
    raise AssertionError("not refused: " + reason)


def test_a_patch_of_detools_makes_the_target_whatever_the_pieces():
    for piece in (1, 7, 64, 512, 5000):
        assert made(GOOD, len(TARGET), piece=piece) == TARGET


def test_differences_are_added_modulo_256_with_nothing_carried_from_byte_to_byte():
    for length in (1, 63, 64, 65, 300):
        difference = bytearray([(n * 91 + 255) % 256 for n in range(length)])
        source = bytes([(n * 13 + 200) % 256 for n in range(length)])
        for step in (difference, bytearray(length)):
            found = bytearray(b"ab" + source + b"yz")
            add(found, 2, memoryview(step), length)
            assert found[2:-2] == bytes([(step[n] + source[n]) % 256 for n in range(length)])
            assert found[:2] == b"ab" and found[-2:] == b"yz"


def test_the_source_is_moved_in_both_directions():
    data = patch([(bytes(10), b"ab", 90), (bytes(5), b"", -105), (bytes(3), b"", 0)], 20)
    assert made(data, 20) == SOURCE[:10] + b"ab" + SOURCE[100:105] + SOURCE[:3]


def test_every_round_has_its_own_differences_and_new_bytes():
    data = patch([(b"\1\2", b"ab", 98), (b"\3\4\5", b"c", -102), (b"\6", b"de", 0)], 11)
    places, steps = (0, 1, 100, 101, 102, 1), (1, 2, 3, 4, 5, 6)
    found = [(SOURCE[places[at]] + steps[at]) % 256 for at in range(6)]
    assert made(data, 11) == bytes(found[:2]) + b"ab" + bytes(found[2:5]) + b"c" + bytes(found[5:]) + b"de"


def test_a_target_that_was_not_read_to_its_end_is_not_finished():
    for length in (0, 5, 9):
        data = patch([(bytes(10), b"", 0)], 10)
        target = Target(
            lambda offset, length, data=data: data[offset : offset + length],
            len(data),
            lambda offset, length: SOURCE[offset : offset + length],
            len(SOURCE),
            10,
        )
        assert len(target.read(length)) == length
        try:
            target.finish()
            raise AssertionError("finished")
        except DeltaError as error:
            assert error.fields == {"reason": "target is not complete"}


def test_every_shortened_patch_is_refused():
    for length in range(len(GOOD)):
        try:
            made(GOOD[:length], len(TARGET))
        except (DeltaError, HeatshrinkError):
            continue
        raise AssertionError(f"a patch of {length} bytes passed")


def test_bytes_after_the_patch_are_refused():
    refused("more behind the end", GOOD + b"\0", len(TARGET))


def test_other_patch_types_and_compressions_are_refused():
    for head in (0x00, 0x01, 0x03, 0x05, 0x14, 0x24, 0x84, 0xFF):
        refused("patch type", patch([(bytes(4), b"", 0)], 4, head=head), 4)


def test_a_target_of_another_size_than_the_signed_one_is_refused():
    refused("target size", GOOD, len(TARGET) + 1)
    refused("target size", GOOD, len(TARGET) - 1)
    refused("target size", patch([], 0), 0)
    refused("target size", b"\x04" + number(-4) + GOOD[3:], 4)


def test_a_number_with_too_many_bytes_is_refused():
    refused("number", b"\x04" + b"\x80" * 9 + b"\0", 4)
    refused("number", patch([], 4, data_format=b"\0" + b"\x80" * 12 + b"\0"), 4)


def test_a_window_that_needs_more_ram_is_refused():
    refused("window", patch([(bytes(4), b"", 0)], 4, window_bits=12), 4)
    refused("lookahead", patch([(bytes(4), b"", 0)], 4, window_bits=11, lookahead_bits=10), 4)


def test_data_formats_are_refused():
    for size in (1, 5, -1, 1 << 20):
        refused("data format", patch([(bytes(4), b"", 0)], 4, data_format=number(size) + b"\0abcd"), 4)


def test_sizes_beyond_the_target_or_below_zero_are_refused():
    refused("size", patch([(bytes(5), b"", 0)], 4), 4)
    refused("size", patch([(bytes(2), b"abc", 0)], 4), 4)
    refused("size", patch([(b"", b"abc", 0), (bytes(2), b"", 0)], 4), 4)
    refused("size", patch([], 4, data_format=b"\0" + number(-3) + b"aaa"), 4)
    refused("size", patch([], 4, data_format=b"\0" + number(-1) + b"aaa"), 4)
    refused("size", patch([], 4, data_format=b"\0" + number(0) + number(-3) + b"aaa"), 4)


def test_the_source_is_never_read_outside_of_its_size():
    refused("size", patch([(bytes(5), b"", 0)], 5, head=4), 5, source=b"abcd")
    refused("move in the source", patch([(bytes(2), b"", -3), (bytes(2), b"", 0)], 4), 4)
    refused("move in the source", patch([(bytes(2), b"", 899), (bytes(2), b"", 0)], 4), 4)
    refused("size", patch([(bytes(2), b"", 897), (bytes(2), b"", 0)], 4), 4)


def test_rounds_that_make_nothing_come_to_an_end():
    nothing = [(b"", b"", 0)] * 65
    nothing.append((bytes(4), b"", 0))
    refused("too many empty rounds", patch(nothing, 4), 4)
    assert made(patch(nothing[1:], 4), 4) == SOURCE[:4]


def test_new_bytes_after_the_end_of_the_target_are_refused():
    refused("size", patch([(bytes(4), b"a", 0)], 4), 4)
    refused("more behind the end", patch([(bytes(4), b"", 0), (b"", b"", 0)], 4), 4)


def test_a_number_has_four_bytes_at_most():
    body = GOOD[3:]  # behind the size of the target, which has two bytes
    first, last = GOOD[1], GOOD[2]
    for padding, is_read in ((b"", True), (b"\x80", True), (b"\x80\x80", False)):
        size = bytes((first, last | 0x80)) + padding + b"\0"
        data = GOOD[:1] + size + body
        if is_read:
            assert made(data, len(TARGET)) == TARGET
        else:
            refused("number", data, len(TARGET))

"""cbor_check.c, the check of CBOR in `_fbcrypto`, compiled for the host with sanitizers, against its reference."""

import os
import random
import shutil
import subprocess

import pytest

from device.codec import cbor
from device.limits import CBOR_DEPTH, CBOR_ITEMS
from tests import cbor_in_c

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

SEED = 20261130
MARKS = (
    0x00,
    0x17,
    0x18,
    0x19,
    0x1A,
    0x1B,
    0x1F,
    0x20,
    0x3B,
    0x40,
    0x58,
    0x5B,
    0x60,
    0x7B,
    0x80,
    0x9B,
    0x9F,
    0xA0,
    0xBB,
)
MARKS += (0xC0, 0xDB, 0xE0, 0xED, 0xF0, 0xF4, 0xF5, 0xF6, 0xF8, 0xF9, 0xFB, 0xFF)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return a function: (data, entries, has_array_keys) of each record -> (result, offset) of each."""
    program = tmp_path_factory.mktemp("cbor") / "cbor"
    cbor_in_c.compile_check(program, "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

    def ask(records):
        fed = b"".join(
            len(data).to_bytes(4, "little")
            + entries.to_bytes(2, "little")
            + bytes((CBOR_DEPTH, has_array_keys))
            + data
            for data, entries, has_array_keys in records
        )
        done = subprocess.run([program], input=fed, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        found = [tuple(int(word) for word in line.split()) for line in done.stdout.decode().splitlines()]
        assert len(found) == len(records)
        without = (cbor_in_c.NESTING, cbor_in_c.ENTRIES, cbor_in_c.GOOD)
        return [(result, 0 if result in without else offset) for result, offset in found]

    return ask


def leaf(draw):
    kind = draw.randrange(5)
    if kind == 0:
        return draw.choice((None, True, False))
    if kind == 1:
        return draw.randrange(2 ** draw.choice((3, 5, 8, 9, 16, 32, 33, 64)))
    if kind == 2:
        return -1 - draw.randrange(2 ** draw.choice((3, 5, 8, 9, 16, 32, 33, 64)))
    if kind == 3:
        return draw.randbytes(draw.choice((0, 1, 5, 23, 24, 30, 300)))
    return "".join(
        chr(draw.choice((0x41, 0x7F, 0xE9, 0x7FF, 0x800, 0xD7FF, 0xE000, 0x10FFFF))) for _ in range(6)
    )


def value(draw, depth=0):
    kind = draw.randrange(7)
    if kind > 2 or depth > 4:
        return leaf(draw)
    if kind == 0:
        return cbor.Tag(draw.randrange(300), value(draw, depth + 1))
    if kind == 1:
        more = (draw.randrange(400), -draw.randrange(1, 400), draw.randbytes(2), "k" * draw.randrange(3))
        keys = [*more[: draw.randrange(5)], *range(draw.randrange(4))]
        return {key: value(draw, depth + 1) for key in keys}
    return [value(draw, depth + 1) for _ in range(draw.randrange(5))]


def damaged(draw):
    """Encode something and change it here and there: nearly always nearly right."""
    data = bytearray(cbor.encode(value(draw)))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 4))):
        at = draw.randrange(len(data) + 1)
        what = draw.randrange(4)
        if what == 0:
            data[at:at] = bytes((draw.choice(MARKS),))
        elif what == 1:
            del data[at : at + draw.choice((1, 1, 1, 2, 9))]
        elif at < len(data):
            data[at] = draw.choice(MARKS) if what == 2 else data[at] ^ 1 << draw.randrange(8)
    return bytes(data)


def records(draw, count):
    for _ in range(count):
        data = (
            damaged(draw)
            if draw.randrange(8)
            else bytes(draw.choice(MARKS) for _ in range(draw.randrange(24)))
        )
        entries = draw.choice((CBOR_ITEMS, CBOR_ITEMS, 0, 1, 2, 3, 7))
        if draw.randrange(12) == 0:
            data = b"\x81" * draw.randrange(CBOR_DEPTH + 2) + data
        if draw.randrange(8) == 0:
            data = b"\xa2\x82" + data[:9] + b"\x00\x82" + data[:9] + b"\x00"  # keys that are arrays
        if draw.randrange(20) == 0:
            data = (
                b"\xa2" + cbor.encode(draw.randrange(600)) + b"\x40" + cbor.encode(draw.randrange(600)) + data
            )
        yield data, entries, draw.randrange(3) == 0


def test_generated_bytes_get_the_same_verdict_and_offset_as_in_python(answers, is_nightly):
    draw = random.Random(os.urandom(8) if is_nightly else SEED)
    made = list(records(draw, 200_000 if is_nightly else 20_000))
    expected = [cbor_in_c.verdict_in_python(*one) for one in made]
    different = [
        (one[0].hex(), one[1:], answer, right)
        for one, answer, right in zip(made, answers(made), expected, strict=True)
        if answer != right
    ]
    assert different == []
    counts = [sum(result == number for result, _ in expected) for number in range(cbor_in_c.GOOD + 1)]
    assert min(counts) > 20, counts  # every verdict occurs


@pytest.mark.parametrize("first", range(0, 256, 32))
def test_every_message_of_two_bytes_gets_the_same_verdict(answers, first):
    made = [(bytes((one, two)), CBOR_ITEMS, False) for one in range(first, first + 32) for two in range(256)]
    assert answers(made) == [cbor_in_c.verdict_in_python(*one) for one in made]


def test_every_text_of_a_character_is_utf8_in_both_or_in_none(answers):
    edges = (
        0x00,
        0x7F,
        0x80,
        0x8F,
        0x90,
        0x9F,
        0xA0,
        0xBF,
        0xC0,
        0xC1,
        0xC2,
        0xDF,
        0xE0,
        0xED,
        0xEF,
        0xF0,
        0xF4,
        0xF5,
        0xFF,
    )
    made = []
    for one in edges:
        made += [(bytes((0x62, one, two)), 1, False) for two in edges]
        made += [(bytes((0x63, one, two, three)), 1, False) for two in edges for three in edges]
        made += [(bytes((0x64, one, two, three, 0x80)), 1, False) for two in edges for three in edges]
        made += [(bytes((0x65, one, two, 0x80, three, 0x41)), 1, False) for two in edges for three in edges]
    assert answers(made) == [cbor_in_c.verdict_in_python(*one) for one in made]

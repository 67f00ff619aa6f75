"""The Mersenne twister: what Python programs make of its numbers, and its numbers as C++ and PHP seed it.

A check of set-up codes tries some 65 536 seeds (`generators.py`), so both are written for speed: of each way to make
characters the first two decide whether the others are made, and C++'s numbers are computed for many seeds at once.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from device.owner.setup_code import ALPHABET, RANDOM_SYMBOLS

MATCHED: Final = 12  # consecutive characters that are compared: 60 bits (derivation.py, rule 2)
_WORDS: Final = 48  # enough for twelve choices of which half are drawn again
_BITS: Final = (60, 64, 80, 5 * RANDOM_SYMBOLS, 128)  # lengths that programs ask for at once
_UNPACK: Final = struct.Struct(f"<{_WORDS}I").unpack

Words = tuple[int, ...]

# CPython ---------------------------------------------------------------------------------------------------


def python_starts(seed: int | str | bytes, is_wanted: bytes) -> Iterator[str]:
    """Yield the starts that Python programs make with `random`, seeded once. The order of calls is CPython's.

    `is_wanted` has a byte for each pair of first characters, at 32 * first + second; only starts whose byte is not 0
    are yielded.
    """
    source = random.Random(seed)  # noqa: S311 - the weak generator that is looked for
    words = _UNPACK(
        source.getrandbits(32 * _WORDS).to_bytes(4 * _WORDS, "little")
    )  # each call takes some of them
    for pair, make in zip(_pairs(words), _MAKERS, strict=True):
        if is_wanted[pair]:
            yield "".join(ALPHABET[number] for number in make(words))
    for draw in (random.Random.sample, _shuffled):
        source.seed(seed)
        start = draw(source, _NUMBERS, MATCHED)
        if is_wanted[start[0] << 5 | start[1]]:
            yield "".join(ALPHABET[number] for number in start)


def _pairs(words: Words) -> Iterator[int]:
    """Yield the first two numbers of each of _MAKERS, as 32 * first + second."""
    one, two, three = words[:3]
    below = (word >> 26 for word in words if word >> 26 < 32)
    yield next(below) << 5 | next(below)
    yield one >> 27 << 5 | three >> 27
    yield one >> 27 << 5 | two >> 27
    yield (one & 31) << 5 | two & 31
    yield (one >> 24 & 31) << 5 | two >> 24 & 31
    low = (one & 31) << 5 | one >> 5 & 31
    for bits in _BITS:
        yield low
        yield getrandbits(words, bits) >> bits - 10
    last = words[7]
    swapped = last >> 24 | last >> 8 & 0xFF00  # the low 16 bits of the last word with its bytes turned round
    yield (swapped & 31) << 5 | swapped >> 5 & 31
    yield (one & 0xFF) << 2 | (one >> 14 & 3)
    yield (one & 31) << 5 | one >> 8 & 31


def getrandbits(words: Words, bits: int) -> int:
    """The number that getrandbits(bits) makes of a fresh generator's words: low words first, the last one shifted."""
    number = 0
    for at in range(-(-bits // 32)):
        left = min(bits - 32 * at, 32)
        number |= words[at] >> 32 - left << 32 * at
    return number


def _low_first(number: int) -> list[int]:
    return [number >> 5 * at & 31 for at in range(MATCHED)]


def _high_first(number: int, bits: int) -> list[int]:
    return [number >> bits - 5 * at & 31 for at in range(1, MATCHED + 1)]


def _randbytes(words: Words) -> bytes:
    """Return randbytes(32) of a fresh generator."""
    return b"".join(word.to_bytes(4, "little") for word in words[:8])


def _makers() -> Iterator[Callable[[Words], list[int]]]:
    yield lambda words: [word >> 26 for word in words if word >> 26 < 32][
        :MATCHED
    ]  # choice, randrange, randint
    yield lambda words: [word >> 27 for word in words[: 2 * MATCHED : 2]]  # choices, int(32 * random())
    yield lambda words: [word >> 27 for word in words[:MATCHED]]  # getrandbits(5)
    yield lambda words: [word & 31 for word in words[:MATCHED]]  # getrandbits(32) & 31
    yield lambda words: [word >> 24 & 31 for word in words[:MATCHED]]  # getrandbits(8) & 31, randbytes(1)
    for bits in _BITS:
        yield lambda words, bits=bits: _low_first(getrandbits(words, bits))  # type: ignore[misc]
        yield lambda words, bits=bits: _high_first(getrandbits(words, bits), bits)  # type: ignore[misc]
    yield lambda words: _low_first(int.from_bytes(_randbytes(words), "big"))
    yield lambda words: _high_first(int.from_bytes(_randbytes(words), "big"), 256)
    yield lambda words: [byte & 31 for byte in _randbytes(words)[:MATCHED]]


def _shuffled(source: random.Random, numbers: Sequence[int], count: int) -> list[int]:
    mixed = list(numbers)
    source.shuffle(mixed)
    return mixed[:count]


_NUMBERS: Final = tuple(range(len(ALPHABET)))  # the calls mix positions, so characters need not be looked up
_MAKERS: Final = tuple(_makers())
PYTHON_WAYS: Final = len(_MAKERS) + 2

# C++ -------------------------------------------------------------------------------------------------------
# Each seed has a lane of 64 bits in one long integer: Python needs little more time for a step of 512 seeds than for
# one of a single seed. A word has 32 bits, so a product fits its lane; what is shifted in from the next lane is cut.
_LANE_BYTES: Final = 8
_TEMPERING: Final = ((7, 0x9D2C5680), (15, 0xEFC60000))


def cxx_numbers(seeds: Sequence[int]) -> list[Words]:
    """Return the first MATCHED numbers of std::mt19937 (and PHP's mt_rand before its shift) for each seed.

    They need 409 words of the state. Of a seed the low 32 bits count.
    """
    ones = int.from_bytes((1).to_bytes(_LANE_BYTES, "little") * len(seeds), "little")
    cut = ones * 0xFFFFFFFF
    word = int.from_bytes(
        b"".join((seed & 0xFFFFFFFF).to_bytes(_LANE_BYTES, "little") for seed in seeds), "little"
    )
    words = [word]
    for at in range(1, 397 + MATCHED):
        word = (word ^ word >> 30 & cut) * 1812433253 + ones * at & cut
        words.append(word)
    lanes = [
        _tempered(words[at + 397] ^ _twisted(words[at], words[at + 1], ones), ones, cut)
        for at in range(MATCHED)
    ]
    unpack = struct.Struct(f"<{len(seeds)}Q").unpack
    columns = [unpack(lane.to_bytes(_LANE_BYTES * len(seeds), "little")) for lane in lanes]
    return list(zip(*columns, strict=True))


def _twisted(high: int, low: int, ones: int) -> int:
    joined = high & ones * 0x80000000 | low & ones * 0x7FFFFFFF
    return (joined >> 1 & ones * 0x7FFFFFFF) ^ (joined & ones) * 0x9908B0DF


def _tempered(number: int, ones: int, cut: int) -> int:
    number ^= number >> 11 & cut
    for shift, mask in _TEMPERING:
        number ^= number << shift & ones * mask
    return number ^ number >> 18 & cut

"""Known generators of pseudo-random numbers, and the characters that programs usually make of their numbers.

The output of each is a function of its seed, so a code that begins with it is not a secret (PW-07).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from operator import mul
from typing import Final

from device.owner.setup_code import ALPHABET, RANDOM_SYMBOLS

MATCHED: Final = 12  # consecutive characters that are compared: 60 bits (derivation.py, rule 2)
_MASK32: Final = 0xFFFFFFFF
_MASK64: Final = 0xFFFFFFFFFFFFFFFF
_WORDS: Final = 48  # of the Mersenne twister, enough for twelve choices of which half are drawn again
_MERSENNE_WAYS: Final = 20
_BITS: Final = (60, 64, 80, 5 * RANDOM_SYMBOLS, 128)  # lengths that programs ask for at once


def sequences(seed: int | str | bytes, prefixes: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield (name of the generator, its first MATCHED characters) for each usual way to make characters of its numbers.

    Only those that begin with one of `prefixes`, of two characters each, are yielded; `ways` says how many were tried.
    """
    for start in _mersenne(seed):
        if start[:2] in prefixes:
            yield "Python's Mersenne twister", start
    if not isinstance(seed, int):
        return
    for name, numbers, shifts in _NUMBERS:
        if seed > _MASK32 and numbers in _SEEDED_WITH_32_BITS:
            continue
        source = numbers(seed)
        one, two = next(source), next(source)
        found = [
            shift for shift in shifts if ALPHABET[one >> shift & 31] + ALPHABET[two >> shift & 31] in prefixes
        ]
        if found:
            first = [one, two, *itertools.islice(source, MATCHED - 2)]
            for shift in found:
                yield name, "".join(ALPHABET[number >> shift & 31] for number in first)


def ways(seed: int | str | bytes) -> int:
    """Return how many starts `sequences` compares for this seed."""
    if not isinstance(seed, int):
        return _MERSENNE_WAYS
    return _WAYS_OF_SHORT if seed <= _MASK32 else _WAYS_OF_LONG


def _mersenne(seed: int | str | bytes) -> Iterator[str]:
    """Yield the starts that Python programs make with `random`, seeded once. The order of calls is CPython's."""
    source = random.Random(seed)  # noqa: S311 - the weak generator that is looked for
    whole = source.getrandbits(32 * _WORDS)  # little-endian words: each call below takes some of them
    words = [whole >> 32 * at & _MASK32 for at in range(_WORDS)]
    below = [word >> 26 for word in words if word >> 26 < len(ALPHABET)]
    yield "".join(ALPHABET[number] for number in below[:MATCHED])  # choice, randrange, randint
    yield "".join(ALPHABET[word >> 27] for word in words[: 2 * MATCHED : 2])  # choices, int(32 * random())
    yield "".join(ALPHABET[word >> 27] for word in words[:MATCHED])  # getrandbits(5)
    yield "".join(ALPHABET[word & 31] for word in words[:MATCHED])  # getrandbits(32) & 31
    yield "".join(ALPHABET[word >> 24 & 31] for word in words[:MATCHED])  # getrandbits(8) & 31, randbytes(1)
    for bits in _BITS:
        number = _getrandbits(words, bits)
        yield _low_first(number)
        yield _high_first(number, bits)
    data = b"".join(word.to_bytes(4, "little") for word in words[:8])  # randbytes(32)
    yield _low_first(int.from_bytes(data, "big"))
    yield _high_first(int.from_bytes(data, "big"), 256)
    yield "".join(ALPHABET[byte & 31] for byte in data[:MATCHED])
    for draw in (random.Random.sample, _shuffled):
        source.seed(seed)
        yield "".join(draw(source, ALPHABET, MATCHED))


def _getrandbits(words: Sequence[int], bits: int) -> int:
    """The number that getrandbits(bits) makes of a fresh generator's words: low words first, the last one shifted."""
    number = 0
    for at in range(-(-bits // 32)):
        left = min(bits - 32 * at, 32)
        number |= words[at] >> 32 - left << 32 * at
    return number


def _low_first(number: int) -> str:
    return "".join(ALPHABET[number >> 5 * at & 31] for at in range(MATCHED))


def _high_first(number: int, bits: int) -> str:
    return "".join(ALPHABET[number >> bits - 5 * at & 31] for at in range(1, MATCHED + 1))


def _shuffled(source: random.Random, alphabet: str, count: int) -> list[str]:
    characters = list(alphabet)
    source.shuffle(characters)
    return characters[:count]


def _congruential(factor: int, step: int, bits: int, drop: int = 0) -> Callable[[int], Iterator[int]]:
    def numbers(seed: int) -> Iterator[int]:
        state, mask = seed, (1 << bits) - 1
        while True:
            state = (state * factor + step) & mask
            yield state >> drop

    return numbers


def _park_miller(factor: int) -> Callable[[int], Iterator[int]]:
    def numbers(seed: int) -> Iterator[int]:
        state = seed % 0x7FFFFFFF or 1
        while True:
            state = state * factor % 0x7FFFFFFF
            yield state

    return numbers


def _java(seed: int) -> Iterator[int]:
    state = (seed ^ 0x5DEECE66D) & (1 << 48) - 1
    while True:
        state = (state * 0x5DEECE66D + 11) & (1 << 48) - 1
        yield state >> 17


def _xorshift(seed: int) -> Iterator[int]:
    state = seed & _MASK32 or 2463534242
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state


_FEEDBACK: Final = 31  # words of the GNU C library's state
_POWERS: Final = tuple(pow(16807, at, 0x7FFFFFFF) for at in range(_FEEDBACK))


def _feedback_weights() -> tuple[tuple[int, ...], ...]:
    """Return how often each first word is in each of the first RANDOM_SYMBOLS numbers: the feedback only adds."""
    words = [tuple(int(at == word) for at in range(_FEEDBACK)) for word in range(_FEEDBACK)]
    words += words[:3]
    for at in range(34, 344 + RANDOM_SYMBOLS):
        words.append(tuple(a + b & _MASK32 for a, b in zip(words[at - 3], words[at - 31], strict=True)))
    return tuple(words[344:])


_WEIGHTS: Final = _feedback_weights()


def _glibc(seed: int) -> Iterator[int]:
    """rand() and random() of the GNU C library: additive feedback, 31 words. Yields RANDOM_SYMBOLS numbers."""
    first = seed & _MASK32 or 1
    if first > 0x7FFFFFFF:
        first -= 1 << 32
    words = [first * power % 0x7FFFFFFF for power in _POWERS]
    words[0] = first & _MASK32
    for weights in _WEIGHTS:
        yield (sum(map(mul, weights, words)) & _MASK32) >> 1


def _mt19937(seed: int) -> Iterator[int]:
    """The Mersenne twister as C++ and PHP seed it; its first MATCHED numbers need 409 words of its state."""
    words = [seed & _MASK32]
    for at in range(1, 397 + MATCHED):
        words.append(1812433253 * (words[-1] ^ words[-1] >> 30) + at & _MASK32)
    for at in range(MATCHED):
        joined = words[at] & 0x80000000 | words[at + 1] & 0x7FFFFFFF
        number = words[at + 397] ^ joined >> 1 ^ (0x9908B0DF if joined & 1 else 0)
        number ^= number >> 11
        number ^= number << 7 & 0x9D2C5680
        number ^= number << 15 & 0xEFC60000
        yield number ^ number >> 18


def _splitmix(seed: int) -> Iterator[int]:
    state = seed & _MASK64
    while True:
        state = state + 0x9E3779B97F4A7C15 & _MASK64
        number = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK64
        number = (number ^ number >> 27) * 0x94D049BB133111EB & _MASK64
        yield number ^ number >> 31


def _xorshift64(seed: int) -> Iterator[int]:
    state = seed & _MASK64 or 88172645463325252
    while True:
        state ^= state << 13 & _MASK64
        state ^= state >> 7
        state ^= state << 17 & _MASK64
        yield state


def _pcg32(seed: int) -> Iterator[int]:
    """PCG-XSH-RR with its default stream, seeded as its reference library seeds it."""
    factor, step = 6364136223846793005, 1442695040888963407
    state = (step + seed & _MASK64) * factor + step & _MASK64
    while True:
        mixed, turn = (state >> 18 ^ state) >> 27 & _MASK32, state >> 59
        yield (mixed >> turn | mixed << (-turn & 31)) & _MASK32
        state = state * factor + step & _MASK64


# (name, numbers, how far a program shifts a number before it takes five bits)
_NUMBERS: Final[tuple[tuple[str, Callable[[int], Iterator[int]], tuple[int, ...]], ...]] = (
    ("rand() of the C standard", _congruential(1103515245, 12345, 31, 0), (0, 16, 26)),
    ("rand() of the C standard", _congruential(1103515245, 12345, 32, 16), (0, 10)),
    ("rand() of Microsoft's C library", _congruential(214013, 2531011, 32, 16), (0, 10)),
    ("rand() of the GNU C library", _glibc, (0, 16, 26)),
    ("mt19937", _mt19937, (0, 1, 27)),
    ("the generator of Numerical Recipes", _congruential(1664525, 1013904223, 32), (0, 16, 27)),
    ("minstd_rand0", _park_miller(16807), (0, 16, 26)),
    ("minstd_rand", _park_miller(48271), (0, 16, 26)),
    ("java.util.Random", _java, (0, 16, 26)),
    ("xorshift32", _xorshift, (0, 16, 27)),
    ("xorshift64", _xorshift64, (0, 32, 59)),
    ("splitmix64", _splitmix, (0, 32, 59)),
    ("pcg32", _pcg32, (0, 16, 27)),
)
NAMES: Final = ("Python's Mersenne twister", *dict.fromkeys(name for name, _, _ in _NUMBERS))
_SEEDED_WITH_32_BITS: Final = (_glibc, _mt19937)  # a longer seed is cut, and both take long to start
_WAYS_OF_SHORT: Final = _MERSENNE_WAYS + sum(len(shifts) for _, _, shifts in _NUMBERS)
_WAYS_OF_LONG: Final = _WAYS_OF_SHORT - sum(
    len(shifts) for _, numbers, shifts in _NUMBERS if numbers in _SEEDED_WITH_32_BITS
)

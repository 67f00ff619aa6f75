"""Known generators of pseudo-random numbers, and the characters that programs usually make of their numbers.

The output of each is a function of its seed, so a code that begins with it is not a secret (PW-07).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import mul
from typing import Final

from device.owner.setup_code import ALPHABET, RANDOM_SYMBOLS
from provisioning.station import mersenne
from provisioning.station.mersenne import MATCHED

Seed = int | str | bytes
_MASK32: Final = 0xFFFFFFFF
_MASK64: Final = 0xFFFFFFFFFFFFFFFF


def sequences(seeds: Sequence[Seed], prefixes: Collection[str]) -> Iterator[tuple[Seed, str, str]]:
    """Yield (seed, name of the generator, its first MATCHED characters) for each usual way to make characters.

    Only those that begin with one of `prefixes`, of two characters each, are yielded; `ways` says how many were tried.
    Some hundred seeds in one call take much less time than as many calls.
    """
    is_wanted = bytearray(len(ALPHABET) ** 2)
    for prefix in prefixes:
        is_wanted[ALPHABET.index(prefix[0]) << 5 | ALPHABET.index(prefix[1])] = 1
    wanted = bytes(is_wanted)
    short = [seed for seed in seeds if isinstance(seed, int) and seed <= _MASK32]
    twisted = dict(zip(short, mersenne.cxx_numbers(short), strict=True)) if short else {}
    for seed in seeds:
        for start in mersenne.python_starts(seed, wanted):
            yield seed, "Python's Mersenne twister", start
        if isinstance(seed, int):
            for name, start in _numbered(seed, twisted.get(seed), wanted):
                yield seed, name, start


def _numbered(seed: int, twisted: Iterable[int] | None, wanted: bytes) -> Iterator[tuple[str, str]]:
    """Yield (name, start) of the other generators. `twisted`: the numbers of mt19937, None for a longer seed."""
    for name, numbers, shifts in _NUMBERS:
        if twisted is None and numbers in _SEEDED_WITH_32_BITS:
            continue
        source = iter(twisted) if twisted is not None and numbers is _mt19937 else numbers(seed)
        one, two = next(source), next(source)
        found = [shift for shift in shifts if wanted[(one >> shift & 31) << 5 | two >> shift & 31]]
        if found:
            first = [one, two, *itertools.islice(source, MATCHED - 2)]
            for shift in found:
                yield name, "".join(ALPHABET[number >> shift & 31] for number in first)


def ways(seed: Seed) -> int:
    """Return how many starts `sequences` compares for this seed."""
    if not isinstance(seed, int):
        return mersenne.PYTHON_WAYS
    return _WAYS_OF_SHORT if seed <= _MASK32 else _WAYS_OF_LONG


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
    """The Mersenne twister as C++ and PHP seed it. Yields MATCHED numbers."""
    yield from mersenne.cxx_numbers([seed])[0]


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
_WAYS_OF_SHORT: Final = mersenne.PYTHON_WAYS + sum(len(shifts) for _, _, shifts in _NUMBERS)
_WAYS_OF_LONG: Final = _WAYS_OF_SHORT - sum(
    len(shifts) for _, numbers, shifts in _NUMBERS if numbers in _SEEDED_WITH_32_BITS
)

"""The known generators give the numbers of the real ones: CPython's own, and published or compiled references."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

import pytest

from device.owner.setup_code import ALPHABET
from provisioning.station import generators
from provisioning.station.generators import sequences, ways
from provisioning.station.mersenne import MATCHED

EVERY = {a + b for a in ALPHABET for b in ALPHABET}


def _shuffled(source: random.Random) -> str:
    characters = list(ALPHABET)
    source.shuffle(characters)
    return "".join(characters)


def _low_first(number: int) -> str:
    return "".join(ALPHABET[number >> 5 * at & 31] for at in range(12))


def _high_first(bits: str) -> str:
    return "".join(ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, 100, 5))


PROGRAMS: dict[str, Callable[[random.Random], str]] = {
    "choice": lambda source: "".join(source.choice(ALPHABET) for _ in range(20)),
    "choices": lambda source: "".join(source.choices(ALPHABET, k=20)),
    "randint": lambda source: "".join(ALPHABET[source.randint(0, 31)] for _ in range(20)),
    "randrange": lambda source: "".join(ALPHABET[source.randrange(32)] for _ in range(20)),
    "random": lambda source: "".join(ALPHABET[int(source.random() * 32)] for _ in range(20)),
    "getrandbits(5)": lambda source: "".join(ALPHABET[source.getrandbits(5)] for _ in range(20)),
    "getrandbits(8)": lambda source: "".join(ALPHABET[source.getrandbits(8) & 31] for _ in range(20)),
    "getrandbits(32)": lambda source: "".join(ALPHABET[source.getrandbits(32) & 31] for _ in range(20)),
    "getrandbits(60)": lambda source: _low_first(source.getrandbits(60)),
    "getrandbits(100)": lambda source: _low_first(source.getrandbits(100)),
    "getrandbits(128), high bits first": lambda source: _high_first(f"{source.getrandbits(128):0128b}"),
    "randbytes": lambda source: "".join(ALPHABET[byte & 31] for byte in source.randbytes(20)),
    "sample": lambda source: "".join(source.sample(ALPHABET, 20)),
    "shuffle": _shuffled,
}


@pytest.mark.parametrize("seed", [7, 1795979000, 2**70, "FB1-000001", b"\x00serial"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_a_python_program_makes_of_a_seed_is_among_the_starts(
    name: str, seed: int | str | bytes
) -> None:
    made = PROGRAMS[name](random.Random(seed))
    assert made[:MATCHED] in [start for *_, start in sequences([seed], EVERY)]


@pytest.mark.parametrize("seed", [0, 7, 2**70, "text"])
def test_ways_counts_the_starts(seed: int | str) -> None:
    assert len(list(sequences([seed], EVERY))) == ways(seed)


def test_only_starts_with_a_wanted_prefix_are_yielded() -> None:
    everything = [start for *_, start in sequences([7], EVERY)]
    wanted = {everything[3][:2]}
    assert [start for *_, start in sequences([7], wanted)] == [one for one in everything if one[:2] in wanted]


def test_many_seeds_in_one_call_give_what_each_gives_alone() -> None:
    seeds = [0, 1, 0xFFFFFFFF, 2**32, "text", b"\xff", 5489, 2**70, 1]
    alone = [found for seed in seeds for found in sequences([seed], EVERY)]
    assert list(sequences(seeds, EVERY)) == alone


@pytest.mark.parametrize("seed", range(40))
def test_a_start_is_told_by_its_first_two_characters(seed: int) -> None:
    every = [start for *_, start in sequences([seed], EVERY)]
    for start in every:
        assert start in [found for *_, found in sequences([seed], {start[:2]})]


# glibc 2.36, libstdc++ 12 and the reference of splitmix64 (S. Vigna), each run once.
REFERENCES: dict[str, tuple[Callable[[int], Iterator[int]], int, list[int]]] = {
    "glibc": (generators._glibc, 12345, [383100999, 858300821, 357768173, 455528251]),
    "glibc, a seed above 2**31": (
        generators._glibc,
        3000000000,
        [2058147116, 854483408, 922419988, 286396165],
    ),
    "std::mt19937": (generators._mt19937, 12345, [3992670690, 3823185381, 1358822685, 561383553]),
    "std::minstd_rand": (generators._park_miller(48271), 12345, [595905495, 1558181227, 1498755989]),
    "splitmix64": (generators._splitmix, 1234567, [6457827717110365317]),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_a_generator_gives_the_numbers_of_its_reference(name: str) -> None:
    numbers, seed, expected = REFERENCES[name]
    assert list(itertools.islice(numbers(seed), len(expected))) == expected

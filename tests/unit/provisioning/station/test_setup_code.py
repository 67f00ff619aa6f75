"""Generating set-up codes: with enough randomness, or not at all."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter

import pytest

from device.errors import EntropyError
from device.owner.setup_code import ALPHABET, RANDOM_SYMBOLS, normalise
from provisioning.station.setup_code import generate_code


def test_a_generated_code_is_in_normal_form() -> None:
    code = generate_code()
    assert normalise(code) == code


def test_a_code_carries_100_bits() -> None:
    assert len(ALPHABET) ** RANDOM_SYMBOLS == 2**100  # PW-09 asks for at least 80


def test_symbols_are_evenly_distributed_at_every_place() -> None:
    state = [b"seed"]

    def stream(length: int) -> bytes:  # deterministic, so the test cannot fail by chance
        state[0] = hashlib.sha256(state[0]).digest()
        return state[0][:length]

    codes = [generate_code(stream) for _ in range(3200)]
    for place in range(RANDOM_SYMBOLS):
        counts = Counter(code[place] for code in codes)
        assert set(counts) == set(ALPHABET)
        assert max(counts.values()) < 160  # 100 expected, standard deviation 10


def test_codes_follow_no_counter() -> None:
    codes = [generate_code() for _ in range(500)]
    assert len(set(codes)) == 500
    agreeing = [sum(a == b for a, b in zip(*pair, strict=True)) for pair in itertools.pairwise(codes)]
    assert max(agreeing) <= 10  # PW-06; by chance 11 of 21 places agree once in 10**8 runs of this test


def _missing(length: int) -> bytes:
    raise NotImplementedError


def _failing(length: int) -> bytes:
    raise OSError


@pytest.mark.parametrize(
    "source",
    [
        _missing,
        _failing,
        bytes,
        lambda length: b"\xa5\x5a" * (length // 2),
        lambda length: hashlib.sha256(b"the same each time").digest()[:length],
        lambda length: b"",
    ],
    ids=["missing", "failing", "zeros", "pattern", "repeating", "empty"],
)
def test_a_missing_or_stuck_source_gives_no_code(source: object) -> None:
    with pytest.raises(EntropyError):
        generate_code(source)  # type: ignore[arg-type]

"""Set-up codes of a whole batch: are they drawn, or do they follow something? (PW-06 to PW-10)

Checks, each with the rule it stands for:
1. repeat (PW-10): no two codes are equal, and each is the one that the registry knows as live for its unit.
2. counter (PW-06): no two codes share more than SHARED_MOST of their 20 places, no two follow each other by a constant
   step in the order of their serials.
3. derived (PW-07, PW-08): no code is made from a public fact of its unit or batch by a hash, a checksum, an encoding, a
   cut or a generator seeded with it.
4. form (PW-09): 20 random symbols and their check character.
5. spread (PW-09): symbols are evenly spread over all places together and at every place, and neighbours are not
   linked (chi-square, each test at a false-alarm rate of FALSE_ALARM over a batch).

What passes is not proved to be random; what fails is not. A batch of fewer than LEAST_SPREAD codes is too small for
check 5, which is then named as not made.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Final

from device.errors import SetupCodeError
from device.owner.setup_code import ALPHABET, RANDOM_SYMBOLS, check_character, normalise

SHARED_MOST: Final = 10  # two random codes share 11 of 20 places once in 10**12 pairs
LEAST_SPREAD: Final = 50
FALSE_ALARM: Final = 1e-6
LEAST_DERIVED: Final = 8  # symbols in a row that come from a fact: 40 bits
STEPS_MOST: Final = 3  # equal differences between codes in a row
SEEDS_AROUND: Final = 2


@dataclass(frozen=True)
class Coded:
    """A unit's code and its public facts (text or bytes). `code` is secret."""

    serial: str
    facts: tuple[str | bytes, ...]
    code: str = field(repr=False)


@dataclass(frozen=True)
class Finding:
    """One check that failed; the text names units, never codes."""

    check: str
    rule: str
    text: str


@dataclass(frozen=True)
class BatchReport:
    """What became of a batch's codes. `not_made`: checks for which the batch was too small. `serials`: whose codes."""

    serials: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_made: tuple[str, ...]

    @property
    def codes(self) -> int:
        """How many codes were checked."""
        return len(self.serials)

    @property
    def is_good(self) -> bool:
        return not self.findings


def check_codes(units: Sequence[Coded], is_live: Callable[[Coded], bool] | None = None) -> BatchReport:
    """Check all codes of a batch, in the order of their serials. `is_live`: what the registry says of a code."""
    ordered = sorted(units, key=lambda unit: unit.serial)
    serials = tuple(unit.serial for unit in ordered)
    findings = [*_form(ordered)]
    if findings:  # what has no form cannot be counted
        return BatchReport(serials, tuple(findings), ("all other checks",))
    findings += [*_repeats(ordered, is_live), *_counters(ordered), *_derived(ordered)]
    not_made: tuple[str, ...] = ()
    if len(ordered) >= LEAST_SPREAD:
        findings += _spread(ordered)
    else:
        not_made = (f"spread: needs at least {LEAST_SPREAD} codes",)
    return BatchReport(serials, tuple(findings), not_made)


def _form(units: Iterable[Coded]) -> Iterator[Finding]:
    for unit in units:
        try:
            is_normal = normalise(unit.code) == unit.code
        except SetupCodeError:
            is_normal = False
        if not is_normal:
            yield Finding("form", "PW-09", f"the code of {unit.serial} is not in normal form")


def _repeats(units: Sequence[Coded], is_live: Callable[[Coded], bool] | None) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for unit in units:
        if unit.code in first:
            yield Finding("repeat", "PW-10", f"{first[unit.code]} and {unit.serial} have the same code")
        first.setdefault(unit.code, unit.serial)
        if is_live is not None and not is_live(unit):
            yield Finding(
                "repeat", "PW-10", f"the registry does not know the code of {unit.serial} as its own"
            )


def _counters(units: Sequence[Coded]) -> Iterator[Finding]:
    """Codes that are nearly the same, and codes that follow each other."""
    for one, other in _near_pairs(units):
        shared = sum(
            a == b for a, b in zip(one.code[:RANDOM_SYMBOLS], other.code[:RANDOM_SYMBOLS], strict=True)
        )
        if shared > SHARED_MOST and one.code != other.code:
            text = f"the codes of {one.serial} and {other.serial} share {shared} of {RANDOM_SYMBOLS} places"
            yield Finding("counter", "PW-06", text)
            return
    values = [_number(unit.code) for unit in units]
    steps = [(after - before) % 32**RANDOM_SYMBOLS for before, after in itertools.pairwise(values)]
    for start in range(len(steps) - STEPS_MOST + 1):
        if len(set(steps[start : start + STEPS_MOST])) == 1 and steps[start]:
            yield Finding(
                "counter", "PW-06", f"codes follow each other by a constant step from {units[start].serial}"
            )
            return


def _near_pairs(units: Sequence[Coded]) -> Iterator[tuple[Coded, Coded]]:
    """Pairs with two equal neighbouring places: who shares 11 of 20 is among them, since 11 cannot stand apart."""
    seen: set[tuple[str, str]] = set()
    for at in range(RANDOM_SYMBOLS - 1):
        buckets: dict[str, list[Coded]] = {}
        for unit in units:
            buckets.setdefault(unit.code[at : at + 2], []).append(unit)
        for bucket in buckets.values():
            for one, other in itertools.combinations(bucket, 2):
                if (one.serial, other.serial) not in seen:
                    seen.add((one.serial, other.serial))
                    yield one, other


def _number(code: str) -> int:
    value = 0
    for symbol in reversed(code[:RANDOM_SYMBOLS]):
        value = value << 5 | ALPHABET.index(symbol)
    return value


# Derivation ----------------------------------------------------------------------------------------------


def _derived(units: Sequence[Coded]) -> Iterator[Finding]:
    for number, unit in enumerate(units):
        candidates = list(_candidates(unit, number))
        parts = [unit.code[at : at + LEAST_DERIVED] for at in range(RANDOM_SYMBOLS - LEAST_DERIVED + 1)]
        everything = " ".join(symbols for _, symbols in candidates)
        if any(part in everything for part in parts):
            name = next(name for name, symbols in candidates if any(part in symbols for part in parts))
            text = f"the code of {unit.serial} follows from its public facts: {name}"
            yield Finding("derived", "PW-07, PW-08", text)
            return


def _candidates(unit: Coded, number: int) -> Iterator[tuple[str, str]]:
    """(how, symbols) that someone who knows the public facts would try."""
    facts = [fact.encode() if isinstance(fact, str) else fact for fact in unit.facts]
    facts += [str(number).encode(), str(number + 1).encode()]
    inputs = [(f"fact {at + 1}", fact) for at, fact in enumerate(facts)]
    inputs += [
        (f"facts {a + 1} and {b + 1}", facts[a] + glue + facts[b])
        for a, b in itertools.permutations(range(len(facts)), 2)
        for glue in (b"", b"-")
    ]
    for name, data in inputs:
        for way, digest in _digests(data):
            yield from ((f"{way} of {name}", symbols) for symbols in _encodings(digest))
    for name, data in inputs[: len(facts)]:
        for seed in _seeds(data):
            yield f"a generator seeded with {name}", _mersenne(seed)


def _digests(data: bytes) -> Iterator[tuple[str, bytes]]:
    yield "the text", data
    for way in ("md5", "sha1", "sha256", "sha512"):
        yield way, hashlib.new(way, data, usedforsecurity=False).digest()
    yield "crc32", zlib.crc32(data).to_bytes(4, "big") * 4


def _encodings(data: bytes) -> Iterator[str]:
    """Five bits a symbol from either end, a byte a symbol, and the letters themselves. Fast: called very often."""
    from_end = base64.b32encode(bytes(-len(data) % 5) + data).translate(_BASE32).decode()
    yield from_end
    yield from_end[::-1]
    yield base64.b32encode(data).translate(_BASE32).decode()
    yield base64.b32encode(data[::-1]).translate(_BASE32).decode()[::-1]
    yield data.translate(_LOW_BITS).decode()
    yield data.translate(_LOW_BITS).decode()[::-1]
    yield data.hex().upper()
    yield data.decode("latin-1").upper()


_BASE32: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET.encode())
_LOW_BITS: Final = bytes(ord(ALPHABET[byte & 31]) for byte in range(256))


def _seeds(data: bytes) -> set[int | str | bytes]:
    seeds: set[int | str | bytes] = {data, data.decode("latin-1"), int.from_bytes(data, "big")}
    digits = "".join(chr(byte) for byte in data if 48 <= byte <= 57)
    if digits and len(digits) < 20:
        near = range(-SEEDS_AROUND, SEEDS_AROUND + 1)
        seeds |= {int(digits) + offset for offset in near if int(digits) + offset >= 0}
    return seeds


def _mersenne(seed: int | str | bytes) -> str:
    """What Python's own generator, seeded so, would have drawn, in the usual ways of asking it."""
    ways: tuple[Callable[[random.Random], str], ...] = (
        lambda source: "".join(source.choice(ALPHABET) for _ in range(RANDOM_SYMBOLS)),
        lambda source: "".join(source.choices(ALPHABET, k=RANDOM_SYMBOLS)),
        lambda source: _symbols_of(source.getrandbits(5 * RANDOM_SYMBOLS)),
    )
    return " ".join(draw(random.Random(seed)) for draw in ways)  # noqa: S311 - the weak generator looked for


def _symbols_of(number: int) -> str:
    return "".join(ALPHABET[number >> 5 * at & 31] for at in range(RANDOM_SYMBOLS))


# Spread --------------------------------------------------------------------------------------------------


def _spread(units: Sequence[Coded]) -> Iterator[Finding]:
    codes = [unit.code[:RANDOM_SYMBOLS] for unit in units]
    tests = [("all places", "".join(codes), 32)]
    tests += [(f"place {at + 1}", "".join(code[at] for code in codes), 32) for at in range(RANDOM_SYMBOLS)]
    limit = FALSE_ALARM / (len(tests) + 2)
    for name, symbols, kinds in tests:
        if _is_uneven([ALPHABET.index(symbol) for symbol in symbols], kinds, limit):
            yield Finding("spread", "PW-09", f"symbols are not evenly spread: {name}")
            return
    values = [[ALPHABET.index(symbol) for symbol in code] for code in codes]
    inside = [(b - a) % 32 for row in values for a, b in itertools.pairwise(row)]
    across = [(b[at] - a[at]) % 32 for a, b in itertools.pairwise(values) for at in range(RANDOM_SYMBOLS)]
    for name, differences in (("neighbours in a code", inside), ("codes that follow each other", across)):
        if _is_uneven(differences, 32, limit):
            yield Finding("spread", "PW-09", f"symbols are linked: {name}")
            return


def _is_uneven(values: Sequence[int], kinds: int, false_alarm: float) -> bool:
    """Chi-square against even spread, upper tail by Wilson and Hilferty's approximation."""
    expected = len(values) / kinds
    counts = Counter(values)
    statistic = sum((counts.get(kind, 0) - expected) ** 2 for kind in range(kinds)) / expected
    degrees = kinds - 1
    spread = 2 / (9 * degrees)
    z = ((statistic / degrees) ** (1 / 3) - (1 - spread)) / spread**0.5
    return bool(z > NormalDist().inv_cdf(1 - false_alarm))


def complete(symbols: str) -> str:
    """A code of these 20 symbols, with its check character."""
    return symbols + check_character(symbols)

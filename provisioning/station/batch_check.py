"""Check that the set-up codes of a batch look random: no repeats, no pattern, no known source (PW-06 to PW-10).

Checks, each with its requirement:
1. repeat (PW-10): no two codes are equal, and the registry knows each one as the live code of its unit.
2. counter (PW-06): no two codes share more than SHARED_MOST of their 20 characters, and codes in the order of their
   serials do not differ by a constant step.
3. derived (PW-07, PW-08): no code follows from public facts, the code before, small numbers or a seeded
   generator (`derivation.py`).
4. form (PW-09): 20 random characters and their check character.
5. spread (PW-09): characters are evenly spread, over all positions and at each one, and neighbours are independent
   (chi-square, each test at a false-alarm rate of FALSE_ALARM over a batch).

A batch that passes is not proved to be random; a batch that fails is proved not to be. The report gives the number of
candidates that were tried, and says if a batch of fewer than LEAST_SPREAD codes is too small to judge their spread.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Final

from device.errors import SetupCodeError
from device.owner.setup_code import ALPHABET, RANDOM_SYMBOLS, check_character, normalise
from provisioning.counted import counted
from provisioning.station.derivation import SECONDS_AROUND, SMALL_NUMBERS, Match, Search, tried_ways
from provisioning.station.public_facts import Moment, Value, forms
from provisioning.station.spellings import seeds

SHARED_MOST: Final = 10  # two random codes share 11 of 20 characters once in 10**12 pairs
LEAST_SPREAD: Final = 50
FALSE_ALARM: Final = 1e-6
PAIRED_UNITS: Final = 4  # units whose facts are tried in pairs: a station derives all its codes the same way
PAIRED_FORMS: Final = 4  # of each fact; the other forms are tried without a partner
DERIVED_FORMS: Final = 2  # of each fact, as password or salt of a key derivation
STEPS_MOST: Final = 3  # equal differences between consecutive codes
SEEDS_AROUND: Final = 2
_REPEAT_EXPONENT: Final = math.log(100)  # 1 - 1/100 of the batches hold a repeat


@dataclass(frozen=True)
class Coded:
    """A unit's code and its public facts: (name, value). `code` is secret."""

    serial: str
    facts: tuple[tuple[str, Value], ...]
    code: str = field(repr=False)


@dataclass(frozen=True)
class Finding:
    """A check that failed. The text names units, never codes."""

    check: str
    rule: str
    text: str


@dataclass(frozen=True)
class BatchReport:
    """The result for a batch. `serials`: the units whose codes were read.

    `not_made`: checks for which the batch is too small. `candidates`: how many derived values were compared with the
    codes. `tried`: how they were derived, one line each.
    """

    serials: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_made: tuple[str, ...]
    candidates: int = 0
    tried: tuple[str, ...] = ()

    @property
    def codes(self) -> int:
        """Return how many codes were checked."""
        return len(self.serials)

    @property
    def limits(self) -> tuple[str, ...]:
        """Return what a check of so many codes cannot show, as lines for people."""
        bits = shown_bits(self.codes)
        if bits:
            repeats = (
                f"repeats: {self.codes} codes would hold one in 99 of 100 batches if only {bits} bits of a code varied;"
                " more bits cannot be judged by so many"
            )
        else:
            repeats = f"repeats: {counted(self.codes, 'code')} cannot show how many bits of a code vary"
        return (
            repeats,
            "Only the ways named above were tried. A batch that passes is not proved to be random.",
        )

    @property
    def is_good(self) -> bool:
        return not self.findings


def shown_bits(codes: int) -> int:
    """Return of how many varying bits `codes` random codes would hold a repeat in 99 of 100 batches; 0 for none.

    The chance of a repeat is 1 - exp(-n(n - 1) / 2^(b + 1)), the birthday bound.
    """
    pairs = codes * (codes - 1) / 2
    bits = 0
    while pairs / 2 ** (bits + 1) >= _REPEAT_EXPONENT:
        bits += 1
    return bits


def check_codes(
    units: Sequence[Coded],
    is_live: Callable[[Coded], bool] | None = None,
    small_numbers: int = SMALL_NUMBERS,
) -> BatchReport:
    """Check all codes of a batch, in the order of their serials, and return the report.

    `is_live`: whether a code is the live one of a unit in the registry. `small_numbers`: how many numbers from 0 on
    are tried as seeds and inputs.
    """
    ordered = sorted(units, key=lambda unit: unit.serial)
    serials = tuple(unit.serial for unit in ordered)
    findings = [*_form(ordered)]
    if findings:  # a code without the right form cannot be tested further
        return BatchReport(serials, tuple(findings), ("all other checks",))
    search = Search([unit.code for unit in ordered])
    findings += [*_repeats(ordered, is_live), *_counters(ordered), *_derived(ordered, search, small_numbers)]
    not_made: tuple[str, ...] = ()
    if len(ordered) >= LEAST_SPREAD:
        findings += _spread(ordered)
    else:
        not_made = (
            f"spread: {len(ordered)} codes are too few to judge whether characters are evenly spread; it takes"
            f" {LEAST_SPREAD}",
        )
    return BatchReport(serials, tuple(findings), not_made, search.tried, tried_ways(small_numbers))


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
    """Yield codes that are nearly the same, and codes that follow each other."""
    for one, other in _near_pairs(units):
        shared = sum(
            a == b for a, b in zip(one.code[:RANDOM_SYMBOLS], other.code[:RANDOM_SYMBOLS], strict=True)
        )
        if shared > SHARED_MOST and one.code != other.code:
            text = (
                f"the codes of {one.serial} and {other.serial} share {shared} of {RANDOM_SYMBOLS} characters"
            )
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
    """Yield pairs with two equal neighbouring characters. Every pair that shares 11 of 20 characters is among them."""
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


def _derived(units: Sequence[Coded], search: Search, small_numbers: int) -> Iterator[Finding]:
    """Yield at most one finding: one derived code shows how the others were made."""
    seeds: set[int | str | bytes] = set()
    match: Match | None = None
    every = -(-len(units) // PAIRED_UNITS)
    for number, unit in enumerate(units):
        named = [
            *unit.facts,
            ("position in the batch", str(number)),
            ("position in the batch", str(number + 1)),
        ]
        alone = [form for name, value in named for form in forms(name, value)]
        pairs = named if number % every == 0 else []
        paired = [
            form for name, value in pairs for form in itertools.islice(forms(name, value), PAIRED_FORMS)
        ]
        match = search.from_facts(number, list(dict.fromkeys(alone)), list(dict.fromkeys(paired)))
        if match is not None:
            break
        seeds |= _seeds(named, alone)
    is_whole = small_numbers >= SMALL_NUMBERS
    match = match or search.from_codes_before([unit.code for unit in units])
    match = match or _from_spellings(units[0], search, is_whole=is_whole)
    match = match or search.from_documents(0, list(dict.fromkeys(_forms_of(units[0], PAIRED_FORMS))))
    match = match or _from_key_derivations(units, search, is_whole=is_whole)
    match = match or search.from_generators(itertools.chain(seeds, range(small_numbers)))
    match = match or search.from_small_numbers(small_numbers)
    if match is not None:
        text = f"the code of {units[match.unit].serial} can be computed: {match.how}"
        yield Finding("derived", "PW-07, PW-08", text)


def _from_spellings(unit: Coded, search: Search, *, is_whole: bool) -> Match | None:
    """Try the first unit: one of its names by itself, or with `is_whole` every fact, pairs, and generators."""
    if not is_whole:
        return search.from_spellings(0, list(itertools.islice(_forms_of(unit, 1), 1)), [])
    alone = list(dict.fromkeys(_forms_of(unit, None)))
    paired = list(dict.fromkeys(_forms_of(unit, PAIRED_FORMS)))
    match = search.from_spellings(0, alone, paired)
    return match or search.from_generators(dict.fromkeys(seed for _, data in paired for seed in seeds(data)))


def _forms_of(unit: Coded, most: int | None) -> Iterator[tuple[str, bytes]]:
    """Yield the facts of a unit in at most `most` forms each."""
    for name, value in unit.facts:
        yield from itertools.islice(forms(name, value), most)


def _from_key_derivations(units: Sequence[Coded], search: Search, *, is_whole: bool) -> Match | None:
    facts = list(dict.fromkeys(_forms_of(units[0], DERIVED_FORMS)))
    return search.from_key_derivations(0, facts, is_whole=is_whole)


def _seeds(named: Iterable[tuple[str, Value]], alone: Iterable[tuple[str, bytes]]) -> set[int | str | bytes]:
    """Return likely seeds of a generator: the forms themselves, their numbers, and times near the run."""
    seeds: set[int | str | bytes] = set()
    for _, data in alone:
        seeds |= {data, data.decode("latin-1"), int.from_bytes(data, "big"), int.from_bytes(data, "little")}
        if data.isdigit():
            seeds |= {max(int(data) + offset, 0) for offset in range(-SEEDS_AROUND, SEEDS_AROUND + 1)}
    for _, value in named:
        if isinstance(value, Moment):
            seeds |= set(range(value.unix_s - SECONDS_AROUND, value.unix_s + 3))
    return seeds


# Spread --------------------------------------------------------------------------------------------------


def _spread(units: Sequence[Coded]) -> Iterator[Finding]:
    codes = [unit.code[:RANDOM_SYMBOLS] for unit in units]
    tests = [("all places", "".join(codes), 32)]
    tests += [(f"position {at + 1}", "".join(code[at] for code in codes), 32) for at in range(RANDOM_SYMBOLS)]
    limit = FALSE_ALARM / (len(tests) + 2)
    for name, symbols, kinds in tests:
        if _is_uneven([ALPHABET.index(symbol) for symbol in symbols], kinds, limit):
            yield Finding("spread", "PW-09", f"characters are not evenly spread: {name}")
            return
    values = [[ALPHABET.index(symbol) for symbol in code] for code in codes]
    inside = [(b - a) % 32 for row in values for a, b in itertools.pairwise(row)]
    across = [(b[at] - a[at]) % 32 for a, b in itertools.pairwise(values) for at in range(RANDOM_SYMBOLS)]
    for name, differences in (("neighbours in a code", inside), ("codes that follow each other", across)):
        if _is_uneven(differences, 32, limit):
            yield Finding("spread", "PW-09", f"characters are not independent: {name}")
            return


def _is_uneven(values: Sequence[int], kinds: int, false_alarm: float) -> bool:
    """Return whether a chi-square test finds uneven values (upper tail by Wilson and Hilferty's approximation)."""
    expected = len(values) / kinds
    counts = Counter(values)
    statistic = sum((counts.get(kind, 0) - expected) ** 2 for kind in range(kinds)) / expected
    degrees = kinds - 1
    spread = 2 / (9 * degrees)
    z = ((statistic / degrees) ** (1 / 3) - (1 - spread)) / spread**0.5
    return bool(z > NormalDist().inv_cdf(1 - false_alarm))


def complete(symbols: str) -> str:
    """Return the code of these 20 characters with its check character."""
    return symbols + check_character(symbols)

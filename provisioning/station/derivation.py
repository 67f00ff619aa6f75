"""Find set-up codes that follow from public facts (PW-07, PW-08).

Rules:
1. Candidates are: every public fact of a unit by itself and, for some units of the batch, every ordered pair of facts
   with the usual separators, three facts together, every fact with the usual constant salts and keys, with a line end,
   wide and backwards, as they are and through the usual digests, checksums, HMACs and encodings; the code before; the
   facts of the first unit through more digests and spellings, in documents (documents.py) and under ciphers, and
   through PBKDF2, scrypt and HKDF; 16-bit numbers through the usual digests; known generators (generators.py) seeded
   with small numbers, with the facts and with times near them.
2. Fifty-six bits of a code (twelve characters, where characters are compared) anywhere in a candidate are a finding. So
   every byte order, character order, bit offset and every truncation to eight bytes or more counts. A candidate of 64
   bytes matches a random code by chance once in 10**12 times: a check of a large batch tries about 10**8.
3. The report names what was tried (`tried_ways`) and gives the number of candidates. No number of candidates proves
   that a code is random.

A code is searched in the candidates as bits: sixteen needles of seven bytes for each order, so that both its start and
its end are found at every bit offset.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from device.owner.setup_code import ALPHABET, RANDOM_SYMBOLS, grouped
from provisioning.station import documents, spellings
from provisioning.station.generators import NAMES, sequences, ways
from provisioning.station.mersenne import MATCHED

SMALL_NUMBERS: Final = 1 << 16
NEEDLE_BITS: Final = 56  # a shorter needle stops good batches: 40 bits matched one batch in a hundred
# The place of the characters that every MATCHED consecutive ones of a code contain.
_MIDDLE_AT: Final = RANDOM_SYMBOLS - MATCHED
_MIDDLE: Final = MATCHED - _MIDDLE_AT
_SAMPLED: Final = 2  # codes that are compared with digests of small numbers
_AT_ONCE: Final = 512  # numbers whose digests are searched together, and seeds that are tried together
SECONDS_AROUND: Final = 60  # a generator may have been seeded some time before the unit was reserved
_ALPHABETS: Final = (
    ALPHABET,
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",  # RFC 4648
    "0123456789ABCDEFGHJKMNPQRSTVWXYZ",  # Crockford
)
_GLUES: Final = (b"", b"-", b":", b" ", b"|")
# Keys and salts that programmers type, and the namespaces of name-based UUIDs (RFC 9562, section 6.6).
_CONSTANTS: Final = (
    b"secret", b"key", b"password", b"salt", b"pepper", b"changeme", bytes(16),
    *(uuid.UUID(f"6ba7b81{last}-9dad-11d1-80b4-00c04fd430c8").bytes for last in "0124"),
)  # fmt: skip
_COUNTS: Final = (1, 1000, 2048, 4096, 10_000)  # rounds of PBKDF2; the first two for every fact
_DERIVED: Final = 64  # bytes; a shorter output is the beginning of this one
_SCRYPT: Final = (1024, 16384)
_IDENTITIES: Final = ("serial number", "hardware id", "device id")
_ENDS: Final = b"\xff\x00\xff\x00\xff\x00"  # between candidates, so that no match spans two


@dataclass(frozen=True)
class Match:
    """A code that was found in a candidate. `unit`: its position; `how`: how the code follows from the fact."""

    unit: int
    how: str


class Search:
    """Tries candidates against the codes of a batch. `tried`: how many values were derived and compared."""

    def __init__(self, codes: Sequence[str]) -> None:
        self.tried = 0
        self._codes = [code[:RANDOM_SYMBOLS] for code in codes]
        self._bits = [_bit_needles(code) for code in self._codes]
        self._letters = [_letter_needles(code) for code in self._codes]
        self._values = [_value_needles(code) for code in self._codes]
        self._starts = {code[:MATCHED]: unit for unit, code in enumerate(self._codes)}
        self._prefixes = {code[:2] for code in self._codes}
        # Only such a code can be in hexadecimal digits: every window of it contains its middle.
        self._is_hex = [set(code[_MIDDLE_AT:MATCHED]) <= set("0123456789ABCDEF") for code in self._codes]

    def from_facts(
        self, unit: int, alone: Sequence[tuple[str, bytes]], paired: Sequence[tuple[str, bytes]]
    ) -> Match | None:
        """Try the facts of one unit: each of `alone` by itself, each ordered pair of `paired`. Both: (name, value)."""
        inputs = [*alone, *_pairs(paired), *_salted(paired), *_triples(paired), *_written(paired)]
        for way, digest in _DIGESTS.items():
            if self._is_in_any(unit, [digest(data) for _, data in inputs]):
                name = next(name for name, data in inputs if self._is_in_any(unit, [digest(data)]))
                return Match(unit, f"{way} of {name}")
        keyed = list(itertools.permutations(paired, 2))
        for way in ("md5", "sha1", "sha256"):
            if self._is_in_any(unit, [hmac.digest(key, data, way) for (_, key), (_, data) in keyed]):
                return Match(unit, f"HMAC-{way} of two facts")
            macs = [hmac.digest(key, data, way) for key in _CONSTANTS for _, data in paired]
            if self._is_in_any(unit, macs):
                return Match(unit, f"HMAC-{way} of a fact with a constant key")
        return None

    def from_codes_before(self, codes: Sequence[str]) -> Match | None:
        """Try digests of each code against the code that follows it. `codes`: whole, in the order of the units."""
        for unit, (before, _) in enumerate(itertools.pairwise(codes), 1):
            texts = [text.encode() for text in (before, before[:RANDOM_SYMBOLS], grouped(before))]
            texts += [text.lower() for text in texts]
            for way, digest in _DIGESTS.items():
                if self._is_in_any(unit, [digest(text) for text in texts]):
                    return Match(unit, f"{way} of the code before")
        return None

    def from_key_derivations(
        self, unit: int, facts: Sequence[tuple[str, bytes]], *, is_whole: bool
    ) -> Match | None:
        """Try the facts of one unit as password, each with the usual salts and every other fact as salt.

        `is_whole`: with the costly counts too, some seconds. A station derives all its codes the same way, so one unit
        is enough.
        """
        salts = [b"", *_CONSTANTS]
        for name, password in facts:
            others = salts + [other for _, other in facts]
            for way, derived in _key_derivations(password, others, is_whole and name in _IDENTITIES):
                if self._is_in_any(unit, [derived]):
                    return Match(unit, f"{way} of {name}")
        return None

    def from_spellings(
        self, unit: int, alone: Sequence[tuple[str, bytes]], paired: Sequence[tuple[str, bytes]]
    ) -> Match | None:
        """Try the facts of one unit through more digests, spelled as characters in more ways (spellings.py)."""
        for name, data in alone:
            way = self._spelled(unit, [(way, digest(data)) for way, digest in spellings.DIGESTS.items()])
            if way is None and any(
                _holds((text,), self._letters[unit]) for _, text in spellings.counted(data)
            ):
                way = "digests with a counter"
            if way is not None:
                return Match(unit, f"{way} of {name}")
        for name, data in (*_pairs(paired), *_salted(paired)):
            values = [(way, spellings.DIGESTS[way](data)) for way in spellings.KEYED]
            if (way := self._spelled(unit, values)) is not None:
                return Match(unit, f"{way} of {name}")
        keys = [b"", *_CONSTANTS, *(data for _, data in paired)]
        for (name, data), key in itertools.product(paired, keys):
            if (way := self._spelled(unit, list(spellings.keyed(key, data)))) is not None:
                return Match(unit, f"{way} of {name} with a known key")
        return None

    def from_documents(self, unit: int, facts: Sequence[tuple[str, bytes]]) -> Match | None:
        """Try the facts of one unit as documents through the usual digests, and under ciphers (documents.py)."""
        texts = list(dict.fromkeys(documents.documents(facts)))
        for way, digest in _DIGESTS.items():
            if self._is_in_any(unit, [digest(text) for _, text in texts]):
                name = next(name for name, text in texts if self._is_in_any(unit, [digest(text)]))
                return Match(unit, f"{way} of {name}")
        way_ = self._spelled(unit, list(documents.enciphered(facts, _CONSTANTS)))
        return None if way_ is None else Match(unit, f"{way_} of facts")

    def _spelled(self, unit: int, values: Sequence[tuple[str, bytes]]) -> str | None:
        """Return the way of the first of (way, value) that contains or spells the code, None if none does."""
        texts = b" ".join(spellings.spelled(value) for _, value in values)
        self.tried += texts.count(b" ")
        if not self._is_in_any(unit, [value for _, value in values]) and not _holds(
            (texts,), self._letters[unit]
        ):
            return None
        found = (
            way
            for way, value in values
            if self._found([unit], value) is not None
            or _holds((spellings.spelled(value),), self._letters[unit])
        )
        return next(found)

    def from_small_numbers(self, count: int = SMALL_NUMBERS) -> Match | None:
        """Compare digests of the numbers below `count` with the first codes of the batch."""
        for first in range(0, count, _AT_ONCE):
            forms = [form for number in range(first, first + _AT_ONCE) for form in _number_forms(number)]
            for way in _USUAL:
                digest = _DIGESTS[way]
                self.tried += len(forms)
                unit = self._found(range(len(self._codes))[:_SAMPLED], _ENDS.join(map(digest, forms)))
                if unit is not None:
                    return Match(unit, f"{way} of a small number")
        return None

    def from_generators(self, seeds: Iterable[int | str | bytes]) -> Match | None:
        """Try the first characters that known generators produce from each seed."""
        left = iter(seeds)
        while batch := list(itertools.islice(left, _AT_ONCE)):
            self.tried += sum(map(ways, batch))
            for seed, name, start in sequences(batch, self._prefixes):
                unit = self._starts.get(start)
                if unit is not None:
                    what = "a number" if isinstance(seed, int) else "a fact"
                    return Match(unit, f"{name}, seeded with {what}")
        return None

    def _is_in_any(self, unit: int, values: Sequence[bytes]) -> bool:
        self.tried += len(values)
        return self._found([unit], _ENDS.join(values)) is not None

    def _found(self, units: Sequence[int], value: bytes) -> int | None:
        """Return the first of `units` with its code in `value`: as bits, low or high bits of bytes, or characters."""
        low, high = value.translate(_LOW_BITS), value.translate(_HIGH_BITS)
        text, backwards = value.upper(), value[::-1]
        digits = value.hex().upper().encode() if any(self._is_hex[unit] for unit in units) else b""
        for unit in units:
            if any(needle in value or needle in backwards for needle in self._bits[unit]):
                return unit
            if _holds((low, high), self._values[unit]) or _holds((text, digits), self._letters[unit]):
                return unit
        return None


def _holds(texts: Iterable[bytes], needles: Sequence[bytes]) -> bool:
    """Return whether one of `texts` contains one of the windows of a code, forwards or backwards.

    Every window contains the middle of the code, which is short: most texts do not have it and are searched only twice.
    """
    middles = [
        needle[_MIDDLE_AT : _MIDDLE_AT + _MIDDLE] for needle in (needles[0], needles[len(needles) // 2])
    ]
    return any(
        any(needle in text for needle in needles)
        for text in texts
        if any(middle in text for middle in middles)
    )


def _pairs(facts: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    for (one, first), (other, second) in itertools.permutations(facts, 2):
        for glue in _GLUES:
            yield f"{one} and {other}", first + glue + second


def _triples(facts: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield three facts together, each in its first form."""
    first = dict(reversed(facts)).items()
    for three in itertools.permutations(first, 3):
        for glue in _GLUES:
            yield " and ".join(name for name, _ in three), glue.join(data for _, data in three)


def _written(facts: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield the facts as shells and other languages write them: with a line end or a zero byte, wide, backwards."""
    for name, fact in facts:
        yield from ((f"{name} with its end", fact + end) for end in (b"\n", b"\r\n", b"\0"))
        yield f"{name} in UTF-16", fact.decode("latin-1").encode("utf-16-le")
        yield f"{name} backwards", fact[::-1]


def _salted(facts: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    for (name, fact), constant in itertools.product(facts, _CONSTANTS):
        yield f"{name} with a constant salt", constant + fact
        yield f"{name} with a constant salt", fact + constant


def _key_derivations(password: bytes, salts: Sequence[bytes], is_costly: bool) -> Iterator[tuple[str, bytes]]:
    for salt in salts:
        for name in ("sha256", "sha512"):
            yield (
                f"HKDF-{name}",
                hmac.digest(hmac.digest(salt, password, name), b"\1", name),
            )  # RFC 5869, empty info
        for name, count in itertools.product(("sha1", "sha256"), _COUNTS if is_costly else _COUNTS[:2]):
            yield f"PBKDF2-{name}, {count} rounds", hashlib.pbkdf2_hmac(name, password, salt, count, _DERIVED)
    for salt, cost in itertools.product((b"", b"salt", password), _SCRYPT if is_costly else _SCRYPT[:1]):
        yield f"scrypt, N {cost}", hashlib.scrypt(password, salt=salt, n=cost, r=8, p=1, dklen=_DERIVED)


def tried_ways(small_numbers: int) -> tuple[str, ...]:
    """Return what a check tries, as lines for its report."""
    constants = len(_CONSTANTS)
    return (
        f"facts of every unit, pairs and triples of some, and the code before: {', '.join(_DIGESTS)}",
        f"HMAC-md5, -sha1, -sha256 of a fact, with another fact or one of {constants} constants as key or salt",
        f"first unit, spelled in more ways (bases, remainders, counters): {', '.join(spellings.DIGESTS)}",
        f"first unit: facts in JSON documents and form fields; facts as key and text of {documents.CIPHERS}",
        f"first unit: HKDF, PBKDF2 ({', '.join(map(str, _COUNTS))} rounds), scrypt (N {', '.join(map(str, _SCRYPT))})",
        f"numbers below {small_numbers}: {', '.join(_USUAL)}",
        f"seeded with facts, times near them and numbers below {small_numbers}: {', '.join(NAMES)}",
    )


# Needles -------------------------------------------------------------------------------------------------


def _bit_needles(code: str) -> tuple[bytes, ...]:
    """Return seven bytes of the code for every bit offset, in both directions, in each alphabet that fits."""
    found = []
    for alphabet in _ALPHABETS:
        if not set(code) <= set(alphabet):
            continue
        for characters in (code, code[::-1]):
            bits = "".join(f"{alphabet.index(character):05b}" for character in characters)
            last = len(bits) - NEEDLE_BITS
            for at in (*range(8), *range(last - 7, last + 1)):
                found.append(int(bits[at : at + NEEDLE_BITS], 2).to_bytes(NEEDLE_BITS // 8, "big"))
    return tuple(found)


def _value_needles(code: str) -> tuple[bytes, ...]:
    values = bytes(ALPHABET.index(character) for character in code)
    return tuple(_windows(values)) + tuple(_windows(values[::-1]))


def _letter_needles(code: str) -> tuple[bytes, ...]:
    return tuple(_windows(code.encode())) + tuple(_windows(code[::-1].encode()))


def _windows(text: bytes) -> Iterator[bytes]:
    return (text[at : at + MATCHED] for at in range(len(text) - MATCHED + 1))


_LOW_BITS: Final = bytes(byte & 31 for byte in range(256))
_HIGH_BITS: Final = bytes(byte >> 3 for byte in range(256))

# Digests -------------------------------------------------------------------------------------------------


def _hashed(name: str) -> Callable[[bytes], bytes]:
    make = getattr(hashlib, name)
    return lambda data: make(data, usedforsecurity=False).digest()


def _keyless(name: str) -> Callable[[bytes], bytes]:
    return lambda data: hmac.digest(b"", data, name)


_HASHES: Final = {
    name: _hashed(name)
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s")
}
_DIGESTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "the value": bytes,
    **_HASHES,
    **{f"HMAC-{name} with an empty key": _keyless(name) for name in ("md5", "sha1", "sha256", "sha512")},
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big") * 4,
    "adler32": lambda data: zlib.adler32(data).to_bytes(4, "big") * 4,
    "sha256 of sha256": lambda data: hashlib.sha256(hashlib.sha256(data).digest()).digest(),
    "sha256 of the hexadecimal sha256": lambda data: hashlib.sha256(
        hashlib.sha256(data).hexdigest().encode()
    ).digest(),
    "sha256 of the hexadecimal md5": lambda data: hashlib.sha256(
        hashlib.md5(data, usedforsecurity=False).hexdigest().encode()
    ).digest(),
}


_USUAL: Final = ("the value", "md5", "sha1", "sha256", "crc32")


def _number_forms(number: int) -> tuple[bytes, ...]:
    return (
        number.to_bytes(2, "big"), number.to_bytes(2, "little"), number.to_bytes(4, "big"),
        number.to_bytes(4, "little"), str(number).encode(), f"{number:04x}".encode(),
    )  # fmt: skip

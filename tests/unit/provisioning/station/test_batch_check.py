"""The check of a batch's codes passes random codes and fails every planted weak generator."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import random
import secrets
import struct
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.owner.setup_code import ALPHABET
from provisioning.station.batch_check import BatchReport, Coded, check_codes, complete
from provisioning.station.derivation import Search, _bit_needles, _letter_needles, _value_needles
from provisioning.station.generators import _glibc, _mt19937
from provisioning.station.public_facts import Moment, batch_facts, forms, unit_facts
from provisioning.station.setup_code import generate_code
from provisioning.station.spellings import seeds
from tests.unit.provisioning.station.station_bench import PRODUCT, Bench, MemoryUnit

COUNT = 55
NOW = 1_795_000_000
START = secrets.randbits(100)


def symbols_of(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    return "".join(ALPHABET[number >> 5 * at & 31] for at in range(20))


def batch(
    make: Callable[[int, tuple[str | bytes, ...]], str], count: int = COUNT, small_numbers: int = 512
) -> BatchReport:
    units = []
    for number in range(1, count + 1):
        serial = f"FB1-{number:06d}"
        facts = (
            serial,
            hashlib.sha256(serial.encode()).digest()[:16],
            "Hall sensor 2",
            "2026-11",
            b"\x02" * 6,
        )
        named = (*((f"fact {at}", fact) for at, fact in enumerate(facts)), ("time", Moment(NOW + number)))
        units.append(Coded(serial, named, make(number, facts)))
    return check_codes(units, small_numbers=small_numbers)


def failing(report: BatchReport) -> set[str]:
    return {finding.check for finding in report.findings}


def test_codes_of_the_station_pass() -> None:
    report = batch(lambda number, facts: generate_code(), 100)
    assert report.is_good, report.findings
    assert (report.codes, report.not_made) == (100, ())


def drawn_with(source: random.Random) -> Callable[[int, tuple[str | bytes, ...]], str]:
    return lambda number, facts: complete("".join(source.choice(ALPHABET) for _ in range(20)))


def text(fact: str | bytes) -> bytes:
    return fact.encode() if isinstance(fact, str) else fact


def libc(seed: int) -> Iterator[str]:
    for _ in range(20):
        seed = (seed * 1103515245 + 12345) & 0xFFFFFFFF
        yield ALPHABET[seed >> 16 & 31]


WEAK: dict[str, tuple[str, Callable[[int, tuple[str | bytes, ...]], str]]] = {
    "counter": ("counter", lambda n, f: complete(symbols_of(n.to_bytes(13, "big")))),
    "counter from a random start": (
        "counter",
        lambda n, f: complete(symbols_of(((START + 977 * n) % 2**100).to_bytes(13, "big"))),
    ),
    "random part and constant part": (
        "counter", lambda n, f: complete("FRSTBTHMSNSR" + generate_code()[:8]),
    ),
    "sha256 of the serial": ("derived", lambda n, f: complete(symbols_of(hashlib.sha256(text(f[0])).digest()))),
    "md5 of model and serial": (
        "derived", lambda n, f: complete(symbols_of(hashlib.md5(text(f[2]) + text(f[0])).digest())),  # noqa: S324
    ),
    "sha256 of the serial and a line end": (
        "derived", lambda n, f: complete(symbols_of(hashlib.sha256(text(f[0]) + b"\n").digest())),
    ),
    "sha256 of the wide serial": (
        "derived",
        lambda n, f: complete(symbols_of(hashlib.sha256(text(f[0]).decode().encode("utf-16-le")).digest())),
    ),
    "sha1 of the serial backwards": (
        "derived", lambda n, f: complete(symbols_of(hashlib.sha1(text(f[0])[::-1]).digest())),  # noqa: S324
    ),
    "sha256 of serial, month and model": (
        "derived",
        lambda n, f: complete(symbols_of(hashlib.sha256(b":".join(map(text, (f[0], f[3], f[2])))).digest())),
    ),
    "the hardware id itself": ("derived", lambda n, f: complete(symbols_of(text(f[1])))),
    "a byte of sha1 a symbol": (
        "derived",
        lambda n, f: complete("".join(ALPHABET[b & 31] for b in hashlib.sha1(text(f[1])).digest())),  # noqa: S324
    ),
    "a generator seeded with the number": (
        "derived", lambda n, f: drawn_with(random.Random(n))(n, f),
    ),
    "a generator seeded with the serial": (
        "derived", lambda n, f: drawn_with(random.Random(text(f[0]).decode()))(n, f),
    ),
    "hmac-sha256 with an empty key": (
        "derived",
        lambda n, f: complete(symbols_of(hmac.digest(b"", text(f[0]), "sha256"))),
    ),
    "hmac of the serial under the model": (
        "derived",
        lambda n, f: complete(symbols_of(hmac.digest(text(f[2]), text(f[0]), "sha256"))),
    ),
    "sha256 of model and serial with a colon, cut in the middle": (
        "derived",
        lambda n, f: complete(symbols_of(hashlib.sha256(text(f[2]) + b":" + text(f[0])).digest()[7:20])),
    ),
    "sha256 of the MAC address in letters": (
        "derived",
        lambda n, f: complete(symbols_of(hashlib.sha256(text(f[1])[:6].hex(":").upper().encode()).digest())),
    ),
    "sha512 of the second of the run": (
        "derived",
        lambda n, f: complete(symbols_of(hashlib.sha512(str(NOW + n).encode()).digest())),
    ),
    "a Mersenne twister seeded with the clock": (
        "derived", lambda n, f: complete(symbols_of(random.Random(NOW + n - 20).randbytes(32))),
    ),
    "16 bits of entropy in a Mersenne twister": (
        "derived", lambda n, f: drawn_with(random.Random(60_000 + n))(n, f),
    ),
    "16 bits of entropy in sha256": (
        "derived",
        lambda n, f: complete(symbols_of(hashlib.sha256((0xE000 + 7 * n).to_bytes(2, "big")).digest())),
    ),
    "the alphabet shuffled with the clock as seed": (
        "derived", lambda n, f: complete("".join(random.Random(NOW + n - 7).sample(ALPHABET, 20))),
    ),
    "128 bits of a Mersenne twister seeded with the serial": (
        "derived", lambda n, f: complete(symbols_of(random.Random(text(f[0])).getrandbits(128).to_bytes(16, "big"))),
    ),
    "HMAC with the key secret": (
        "derived", lambda n, f: complete(symbols_of(hmac.digest(b"secret", text(f[0]), "sha256"))),
    ),
    "sha256 with a constant salt": (
        "derived", lambda n, f: complete(symbols_of(hashlib.sha256(text(f[0]) + b"salt").digest())),
    ),
    "a name-based UUID": (
        "derived", lambda n, f: complete(symbols_of(uuid.uuid5(uuid.NAMESPACE_DNS, text(f[0]).decode()).bytes)),
    ),
    "rand() of the GNU C library, seeded with the clock": (
        "derived",
        lambda n, f: complete("".join(ALPHABET[x & 31] for x in itertools.islice(_glibc(NOW + n - 3), 20))),
    ),
    "std::mt19937 seeded with the clock": (
        "derived", lambda n, f: complete("".join(ALPHABET[x & 31] for x in _mt19937(NOW + n)) + generate_code()[:8]),
    ),
    "rand() seeded with the number": ("derived", lambda n, f: complete("".join(libc(n)))),
    "half the alphabet": (
        "spread", lambda n, f: complete("".join(secrets.choice(ALPHABET[:16]) for _ in range(20))),
    ),
    "one place fixed": ("spread", lambda n, f: complete(generate_code()[:7] + "A" + generate_code()[8:20])),
    "bytes modulo 24": (
        "spread", lambda n, f: complete("".join(ALPHABET[b % 24] for b in secrets.token_bytes(20))),
    ),
    "each symbol three after the one before": (
        "spread",
        lambda n, f: complete("".join(ALPHABET[(n * n + 3 * at) % 32] for at in range(20))),
    ),
}  # fmt: skip


def of_serial(derive: Callable[[bytes], bytes]) -> Callable[[int, tuple[str | bytes, ...]], str]:
    return lambda number, facts: complete(symbols_of(derive(str(facts[0]).encode())))


DERIVED = {
    "PBKDF2-sha256, 1000 rounds": lambda serial: hashlib.pbkdf2_hmac("sha256", serial, b"pepper", 1000),
    "PBKDF2-sha1, 1 rounds": lambda serial: hashlib.pbkdf2_hmac("sha1", serial, b"Hall sensor 2", 1),
    "scrypt, N 1024": lambda serial: hashlib.scrypt(serial, salt=b"", n=1024, r=8, p=1),
    "HKDF-sha256": lambda serial: hmac.digest(hmac.digest(b"", serial, "sha256"), b"\1", "sha256"),
}


@pytest.mark.parametrize("way", DERIVED)
def test_codes_that_a_key_derivation_makes_of_public_facts_fail_and_the_way_is_named(way: str) -> None:
    report = batch(of_serial(DERIVED[way]), count=8)
    (finding,) = [one for one in report.findings if one.check == "derived"]
    assert way in finding.text


def test_the_costly_counts_are_tried_for_the_identities_of_the_first_unit() -> None:
    serial = b"FB1-000001"
    code = complete(symbols_of(hashlib.pbkdf2_hmac("sha256", serial, b"", 10_000)))
    search = Search([code])
    match = search.from_key_derivations(0, [("serial number", serial)], is_whole=True)
    assert match is not None and match.how == "PBKDF2-sha256, 10000 rounds of serial number"
    assert Search([code]).from_key_derivations(0, [("serial number", serial)], is_whole=False) is None


def test_the_report_names_every_way_that_was_tried() -> None:
    text = "\n".join(batch(lambda number, facts: generate_code(), count=3).tried)
    for words in (
        "sha3_256",
        "crc32",
        "HKDF, PBKDF2 (1, 1000,",
        "scrypt (N 1024",
        "numbers below 512",
        "pcg32",
        "JSON documents",
        "AES (ECB",
        "RC4",
    ):
        assert words in text


@pytest.mark.parametrize("name", WEAK)
def test_a_planted_weak_generator_fails(name: str) -> None:
    check, make = WEAK[name]
    report = batch(make, small_numbers=1 << 16 if "16 bits" in name else 512)
    found = failing(report)
    assert check in found or (check == "spread" and found & {"counter", "repeat"}), report


def test_a_code_that_is_a_digest_of_the_code_before_is_found() -> None:
    codes = [generate_code()]
    while len(codes) < 3:
        codes.append(complete(symbols_of(hashlib.sha256(codes[-1].encode()).digest())))
    report = batch(lambda number, facts: codes[number - 1], count=3)
    assert [finding.text for finding in report.findings] == [
        "the code of FB1-000002 can be computed: sha256 of the code before"
    ]


def test_one_repeat_in_a_batch_is_found() -> None:
    codes = [generate_code() for _ in range(COUNT)]
    codes[50] = codes[3]
    report = batch(lambda number, facts: codes[number - 1])
    assert [finding.text for finding in report.findings if finding.check == "repeat"] == [
        "FB1-000004 and FB1-000051 have the same code"
    ]


def test_a_code_that_the_registry_does_not_know_is_found() -> None:
    units = [Coded(f"S{number}", (), generate_code()) for number in range(3)]
    report = check_codes(units, lambda unit: unit.serial != "S1", small_numbers=256)
    assert [finding.check for finding in report.findings] == ["repeat"] and "S1" in report.findings[0].text


def test_a_code_out_of_form_is_found() -> None:
    units = [Coded("S1", (), generate_code()[:-1]), Coded("S2", (), generate_code())]
    report = check_codes(units)
    assert [finding.rule for finding in report.findings] == ["PW-09"] and report.not_made


def test_a_small_batch_says_which_check_it_is_too_small_for() -> None:
    report = batch(lambda number, facts: generate_code(), 5)
    assert report.is_good and report.not_made == (
        "spread: 5 codes are too few to judge whether characters are evenly spread; it takes 50",
    )
    assert report.candidates > 10_000


def test_no_finding_and_no_repr_holds_a_code() -> None:
    codes: list[str] = []

    def same(number: int, facts: tuple[str | bytes, ...]) -> str:
        codes.append(generate_code() if number < 3 else codes[0])
        return codes[-1]

    report = batch(same)
    shown = repr(report) + repr(Coded("S", (), codes[0]))
    assert report.findings and not any(code[:6] in shown for code in codes)


def test_the_facts_of_a_batch_hold_product_and_maker_from_its_statement(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.station().provision(MemoryUnit().stream())
    texts = {value for _, value in batch_facts(bench.registry, PRODUCT.batch)}
    assert {PRODUCT.model, PRODUCT.batch, PRODUCT.manufacturer.name} <= texts
    unit = bench.registry.units()[0]
    shown = {form for name, value in unit_facts(unit) for _, form in forms(name, value)}
    assert {unit.hardware_id[:6].hex(":").encode(), str(unit.reserved_s).encode(), b"1"} <= shown


def test_a_good_batch_is_not_stopped_by_chance() -> None:
    code = generate_code()[:20]
    needles = _bit_needles(code)
    characters = [*_value_needles(code), *_letter_needles(code)]
    assert min(map(len, needles)) * 8 >= 56 and min(map(len, characters)) * 5 >= 60
    longest = 64  # bytes of a candidate
    chance = 2 * longest * (len(needles) / 2**56 + 2 * len(characters) / 2**60)
    assert chance * 10**8 < 1e-3


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


SPELLED = {
    "half bytes": lambda fact: "".join(
        ALPHABET[int(digit, 16)] for digit in hashlib.sha256(fact).hexdigest()
    ),
    "hexadecimal digits that a code may have": lambda fact: (
        hashlib.sha512(fact).hexdigest().upper().translate(str.maketrans("", "", "01"))
    ),
    "letters of base64": lambda fact: "".join(
        letter for letter in base64.b64encode(hashlib.sha512(fact).digest()).decode() if letter in ALPHABET
    ),
    "remainders of 16-bit numbers": lambda fact: "".join(
        ALPHABET[number % 32] for number in struct.unpack(">32H", hashlib.sha512(fact).digest())
    ),
    "remainders of 31": lambda fact: "".join(ALPHABET[byte % 31] for byte in hashlib.sha256(fact).digest()),
    "shake_128": lambda fact: symbols_of(hashlib.shake_128(fact).digest(20)),
    "sha3_512": lambda fact: symbols_of(hashlib.sha3_512(fact).digest()),
    "md5 of md5": lambda fact: symbols_of(md5(md5(fact))),
    "a digest for each character": lambda fact: "".join(
        ALPHABET[hashlib.sha256(fact + str(at).encode()).digest()[0] % 32] for at in range(20)
    ),
}


@pytest.mark.parametrize("way", SPELLED)
def test_more_digests_and_spellings_are_tried_for_the_first_unit(way: str) -> None:
    code = complete(SPELLED[way](b"FB1-000001")[:20])
    match = Search([code]).from_spellings(0, [("serial number", b"FB1-000001")], [])
    assert match is not None and match.how.endswith("of serial number")


def test_a_pair_and_a_key_are_spelled_too() -> None:
    facts = [("serial number", b"FB1-000001"), ("model", b"Hall sensor 2")]
    for value in (
        hashlib.sha256(b"FB1-000001-Hall sensor 2").digest(),
        hmac.digest(b"Hall sensor 2", b"FB1-000001", "sha512"),
    ):
        code = complete("".join(ALPHABET[byte % 31] for byte in value[:20]))
        assert Search([code]).from_spellings(0, [], facts) is not None


def test_a_generator_that_a_digest_of_a_fact_seeds_is_tried() -> None:
    seed = int.from_bytes(hashlib.sha256(b"FB1-000001").digest(), "big")
    source = random.Random(seed)
    code = complete("".join(source.choice(ALPHABET) for _ in range(20)))
    assert Search([code]).from_generators([*seeds(b"FB1-000001")]) is not None


def test_a_random_code_is_spelled_by_nothing() -> None:
    facts = [("serial number", b"FB1-000001"), ("model", b"Hall sensor 2")]
    search = Search([generate_code()])
    assert search.from_spellings(0, facts, facts) is None
    assert search.tried > 10_000

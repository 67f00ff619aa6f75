"""Codes that were made of public facts in documents or under ciphers are found; the report says what it cannot show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from provisioning.station.batch_check import BatchReport, complete, shown_bits
from provisioning.station.derivation import Search
from provisioning.station.documents import _rc4
from provisioning.station.setup_code import generate_code
from tests.unit.provisioning.station.test_batch_check import batch, failing, symbols_of

Facts = tuple[str | bytes, ...]


def coded(data: bytes) -> str:
    return complete(symbols_of(data[:13]))


def digest(text: str) -> str:
    return coded(hashlib.sha256(text.encode()).digest())


def under_aes(key: bytes, data: bytes, mode: modes.Mode) -> str:
    encryptor = Cipher(algorithms.AES(key), mode).encryptor()
    return coded(encryptor.update(data) + encryptor.finalize())


def padded(data: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    return padder.update(data) + padder.finalize()


def under_rc4(key: bytes) -> str:
    return coded(Cipher(ARC4(key), None).encryptor().update(bytes(16)))


def md5(text: str) -> bytes:
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


WEAK: dict[str, Callable[[str, str], str]] = {
    "JSON, compact": lambda serial, model: digest(
        json.dumps({"serial": serial, "model": model}, separators=(",", ":"))
    ),
    "JSON, other order and key": lambda serial, model: digest(json.dumps({"model": model, "id": serial})),
    "JSON, keys sorted": lambda serial, model: digest(
        json.dumps({"serial": serial, "model": model}, sort_keys=True)
    ),
    "JSON of one fact": lambda serial, model: digest(json.dumps({"serial": serial})),
    "JSON, a number": lambda serial, model: digest(json.dumps({"serial": int(serial[4:]), "model": model})),
    "form fields": lambda serial, model: digest(f"serial={serial}&model={model}"),
    "AES-ECB, zeros": lambda serial, model: under_aes(
        md5(model),
        serial.encode().ljust(16, b"\0"),
        modes.ECB(),  # noqa: S305
    ),
    "AES-ECB, PKCS#7": lambda serial, model: under_aes(
        hashlib.sha256(serial.encode()).digest(),
        padded(serial.encode()),
        modes.ECB(),  # noqa: S305
    ),
    "AES-CBC": lambda serial, model: under_aes(
        serial.encode().ljust(16, b"\0"), padded(model.encode()), modes.CBC(bytes(16))
    ),
    "AES-CTR": lambda serial, model: under_aes(md5(serial), bytes(16), modes.CTR(bytes(16))),
    "RC4": lambda serial, model: coded(
        Cipher(ARC4(serial.encode().ljust(16, b"\0")), None).encryptor().update(bytes(16))
    ),
}


@pytest.mark.parametrize("name", WEAK)
def test_a_code_made_of_facts_in_a_document_or_under_a_cipher_is_found(name: str) -> None:
    search = Search([WEAK[name]("FB1-000007", "Hall sensor 2")])
    match = search.from_documents(0, [("serial number", b"FB1-000007"), ("model", b"Hall sensor 2")])
    assert match is not None and match.unit == 0 and search.tried > 0


def test_a_random_code_is_in_no_document() -> None:
    facts = [("serial number", b"FB1-000007"), ("model", b"Hall sensor 2"), ("hardware id", bytes(range(16)))]
    assert Search([generate_code()]).from_documents(0, facts) is None


def test_a_batch_whose_codes_were_made_of_json_documents_fails() -> None:
    def make(number: int, facts: Facts) -> str:
        return WEAK["JSON, compact"](str(facts[0]), str(facts[2]))

    assert failing(batch(make, count=3, small_numbers=16)) == {"derived"}


def test_the_key_stream_of_rc4_is_that_of_rfc_6229() -> None:
    assert _rc4(bytes.fromhex("0102030405"))[:16].hex() == "b2396305f03dc027ccc3524a0a1118a8"


def test_random_codes_in_a_small_batch_pass_and_the_report_says_what_that_shows() -> None:
    report = batch(lambda number, facts: generate_code(), count=3, small_numbers=16)
    assert report.is_good
    assert report.limits == (
        "repeats: 3 codes cannot show how many bits of a code vary",
        "Only the ways named above were tried. A batch that passes is not proved to be random.",
    )


@pytest.mark.parametrize(("codes", "bits"), [(1, 0), (2, 0), (55, 8), (1000, 16), (3110, 20)])
def test_the_number_of_codes_decides_how_few_bits_a_repeat_shows(codes: int, bits: int) -> None:
    assert shown_bits(codes) == bits
    assert ("cannot show" in BatchReport(("",) * codes, (), ()).limits[0]) == (bits == 0)

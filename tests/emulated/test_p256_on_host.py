"""p256.c, the verification of boot ROM, `_fbcrypto` and TLS, compiled for the host with sanitizers."""

import hashlib
import os
import random
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from device.crypto.p256 import p256_public, p256_verify
from tests.emulated.boot_support import CHECKOUT, HERE, mbedtls_tree, run
from tests.unit.device.trust import vectors

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
VALID, WRONG, BAD_KEY = "0", "1", "2"
SEED = 20260721


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return a function: records -> one answer each."""
    folder = tmp_path_factory.mktemp("p256")
    mbedtls = mbedtls_tree()
    crypto = CHECKOUT / "device" / "cmodules" / "fbcrypto"
    config = CHECKOUT / "device" / "boards" / "mps2_an385" / "rom"
    places = (crypto, config, mbedtls / "include", mbedtls / "3rdparty" / "p256-m" / "p256-m")
    flags = ["-g", "-O1", "-std=gnu11", '-DMBEDTLS_CONFIG_FILE="rom_mbedtls.h"']
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    includes = [part for place in places for part in ("-I", place)]
    sources = [HERE / "stub" / "host_p256.c", crypto / "p256.c", mbedtls / "library" / "platform_util.c"]
    run("gcc", *flags, *includes, "-o", folder / "p256", *sources)

    def ask(records: list[bytes]) -> list[str]:
        fed = b"".join(len(record).to_bytes(4, "little") + record for record in records)
        done = subprocess.run([folder / "p256"], input=fed, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        lines = done.stdout.decode().splitlines()
        assert len(lines) == len(records)
        return lines

    return ask


def record(public: bytes, digest: bytes, signature: bytes) -> bytes:
    assert public[0] == 4
    return b"v" + public[1:] + digest + signature


def signed(private: int, digest: bytes) -> bytes:
    key = ec.derive_private_key(private, ec.SECP256R1())
    r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def public_of(private: int) -> bytes:
    return p256_public(private.to_bytes(32, "big"))


@pytest.mark.vectors
def test_wycheproof_is_judged_as_published(answers):
    cases = [
        (bytes.fromhex(group["publicKey"]["uncompressed"]), case)
        for group in vectors.load("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json")["testGroups"]
        for case in group["tests"]
        if len(case["sig"]) == 128
    ]
    records = [
        record(public, hashlib.sha256(bytes.fromhex(case["msg"])).digest(), bytes.fromhex(case["sig"]))
        for public, case in cases
    ]
    for (_, case), answer in zip(cases, answers(records), strict=True):
        assert (answer == VALID) == (case["result"] == "valid"), case["tcId"]
    assert len(cases) > 200


def test_signatures_of_another_library_verify_and_changed_ones_do_not(answers, is_nightly):
    draw = random.Random(SEED)
    records = []
    for _ in range(2000 if is_nightly else 100):
        private = draw.randrange(1, N)
        digest = draw.randbytes(32)
        good = record(public_of(private), digest, signed(private, digest))
        bad = bytearray(good)
        bad[draw.randrange(65, len(bad))] ^= 1 << draw.randrange(8)
        records += [good, bytes(bad)]
    assert answers(records) == [VALID, WRONG] * (len(records) // 2)


def test_keys_near_the_base_point_meet_every_case_of_an_addition(answers):
    """Their multiples are those of the table, so sums of equal and of opposite points occur."""
    draw = random.Random(SEED)
    privates = [*range(1, 32), *(N - one for one in range(1, 32))]
    cases = []
    for private in privates:
        public = public_of(private)
        zero, random_digest = bytes(32), draw.randbytes(32)
        cases += [(public, digest, signed(private, digest)) for digest in (zero, random_digest)]
        # u1 = u2 = 1 and the like: small sums of the two scalars.
        for first, second in ((1, 1), (1, N - 1), (3, 5), (15, N - 15)):
            r, s = 7, 7 * pow(second, -1, N) % N
            cases.append(
                (public, (first * s % N).to_bytes(32, "big"), r.to_bytes(32, "big") + s.to_bytes(32, "big"))
            )
    expected = [VALID if p256_verify(*case) else WRONG for case in cases]
    assert answers([record(*case) for case in cases]) == expected
    assert expected.count(VALID) >= 2 * len(privates)


def test_a_sum_at_infinity_is_wrong(answers):
    draw = random.Random(SEED)
    records = []
    for _ in range(20):
        private, r, s = (draw.randrange(1, N) for _ in range(3))
        digest = (-r * private % N).to_bytes(32, "big")
        records.append(record(public_of(private), digest, r.to_bytes(32, "big") + s.to_bytes(32, "big")))
    assert answers(records) == [WRONG] * len(records)


@pytest.mark.parametrize("number", [0, N, N + 1, 2**256 - 1])
@pytest.mark.parametrize("at", [97, 129])
def test_a_number_outside_1_to_n_minus_1_is_wrong(answers, at, number):
    digest = bytes(range(32))
    data = bytearray(record(public_of(7), digest, signed(7, digest)))
    data[at : at + 32] = number.to_bytes(32, "big")
    assert answers([bytes(data)]) == [WRONG]


@pytest.mark.parametrize("at", [1, 33])
def test_a_point_off_the_curve_or_a_coordinate_above_p_is_a_bad_key(answers, at):
    digest = bytes(range(32))
    data = bytearray(record(public_of(7), digest, signed(7, digest)))
    data[at] ^= 1
    above = bytearray(data)
    above[at : at + 32] = b"\xff" * 32
    infinity = bytearray(data)
    infinity[1:65] = bytes(64)
    assert answers([bytes(data), bytes(above), bytes(infinity)]) == [BAD_KEY] * 3


def der_verdict(data: bytes) -> str:
    """Return r and s in hex, or "no" for data that decoding and encoding again would change: not strict DER."""
    try:
        r, s = utils.decode_dss_signature(data)
        if utils.encode_dss_signature(r, s) != data or not (0 <= r < 2**256 and 0 <= s < 2**256):
            return "no"
    except ValueError:
        return "no"
    return (r.to_bytes(32, "big") + s.to_bytes(32, "big")).hex()


def integer(draw: random.Random) -> bytes:
    value = draw.randbytes(draw.choice((0, 1, 2, 20, 31, 32, 32, 32, 33, 34)))
    lead = draw.choice((b"", b"", b"\0", b"\0\0", b"\x80", b"\x7f"))
    value = lead + value
    length = max(len(value) + draw.choice((0, 0, 0, 0, 0, -1, 1, 128)), 0) & 0xFF
    return bytes((draw.choice((2, 2, 2, 2, 2, 2, 3, 0x82)), length)) + value


def der(draw: random.Random) -> bytes:
    """A signature that is nearly always nearly right."""
    if draw.randrange(4) == 0:
        numbers = [draw.randrange(2 ** draw.choice((1, 7, 8, 128, 248, 255, 256))) for _ in range(2)]
        data = bytearray(utils.encode_dss_signature(*numbers))
        for _ in range(draw.randrange(3)):
            data[draw.randrange(len(data))] = draw.choice((0, 1, 2, 0x20, 0x21, 0x7F, 0x80, 0x81, 0xFF))
        return bytes(data[: draw.randrange(len(data) + 1)]) if draw.randrange(4) == 0 else bytes(data)
    content = integer(draw) + integer(draw) + draw.choice((b"", b"", b"", b"\0", b"\2\1\1"))
    length = bytes((max(len(content) + draw.choice((0, 0, 0, 0, -1, 1)), 0) & 0xFF,))
    return (
        draw.choice((b"\x30", b"\x30", b"\x30", b"\x31"))
        + draw.choice((b"", b"", b"", b"\x81"))
        + length
        + content
    )


def test_generated_der_is_read_as_another_library_reads_it(answers, is_nightly):
    draw = random.Random(os.urandom(8) if is_nightly else SEED)
    made = [b"", *(der(draw) for _ in range(200_000 if is_nightly else 10_000))]
    expected = [der_verdict(one) for one in made]
    found = answers([b"d" + one for one in made])
    assert [
        one.hex() for one, answer, right in zip(made, found, expected, strict=True) if answer != right
    ] == []
    assert expected.count("no") > 1000 and len(expected) - expected.count("no") > 500

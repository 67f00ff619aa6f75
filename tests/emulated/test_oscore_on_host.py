"""ccm.c and oscore.c of `_fbcrypto`, compiled for the host with sanitizers, against their references and OpenSSL."""

import random
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from device.errors import FirstbootError
from device.net import coap, oscore
from tests.emulated.boot_support import CHECKOUT, HERE, mbedtls_tree, run

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

SEED = 20261201
LENGTHS = (*range(50), 255, 256, 1023, 1024, 1039, 4096, 65535)
AAD_LENGTHS = (0, 1, 13, 14, 15, 16, 29, 30, 31, 100, 300)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return a function: (kind, bytes) of each record -> one answer each."""
    program = tmp_path_factory.mktemp("oscore") / "oscore"
    mbedtls = mbedtls_tree()
    code = CHECKOUT / "device" / "cmodules" / "fbcrypto"
    config = program.with_name("config.h")
    config.write_text("#define MBEDTLS_AES_C\n")
    flags = ["-g", "-O1", "-std=gnu11", f'-DMBEDTLS_CONFIG_FILE="{config}"']
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    ours = [HERE / "stub" / "host_oscore.c", code / "ccm.c", code / "oscore.c"]
    theirs = [mbedtls / "library" / name for name in ("aes.c", "platform_util.c", "constant_time.c")]
    run("gcc", *flags, "-I", code, "-I", mbedtls / "include", "-o", program, *ours, *theirs)

    def ask(records):
        fed = b"".join(kind.encode() + len(data).to_bytes(4, "little") + data for kind, data in records)
        done = subprocess.run([program], input=fed, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        lines = done.stdout.decode().splitlines()
        assert len(lines) == len(records)
        return lines

    return ask


def ccm_record(key, nonce, tag_bytes, aad, text):
    return key + nonce + bytes((tag_bytes,)) + len(aad).to_bytes(2, "little") + aad + text


def test_every_length_is_sealed_as_openssl_does_and_opened_again(answers):
    draw = random.Random(SEED)
    sealing, opening, expected = [], [], []
    for tag_bytes in (8, 16):
        for length in LENGTHS:
            for aad_bytes in AAD_LENGTHS if length < 50 else (0, 31):
                key, nonce = draw.randbytes(16), draw.randbytes(13)
                aad, text = draw.randbytes(aad_bytes), draw.randbytes(length)
                sealed = AESCCM(key, tag_length=tag_bytes).encrypt(nonce, text, aad)
                sealing.append(("e", ccm_record(key, nonce, tag_bytes, aad, text)))
                opening.append(("d", ccm_record(key, nonce, tag_bytes, aad, sealed)))
                expected.append((text.hex(), sealed.hex()))
    assert answers(sealing) == [sealed for _, sealed in expected]
    assert answers(opening) == [text for text, _ in expected]


def test_a_changed_bit_anywhere_is_a_wrong_tag(answers):
    draw = random.Random(SEED)
    records = []
    for length in (0, 5, 16, 40):
        key, nonce, aad = draw.randbytes(16), draw.randbytes(13), draw.randbytes(20)
        sealed = AESCCM(key, tag_length=8).encrypt(nonce, draw.randbytes(length), aad)
        good = ccm_record(key, nonce, 8, aad, sealed)
        for at in (*range(29), *range(32, len(good))):  # not the lengths
            damaged = bytearray(good)
            damaged[at] ^= 1 << draw.randrange(8)
            records.append(("d", bytes(damaged)))
    assert answers(records) == ["no"] * len(records)


def options_text(data):
    try:
        options, payload = coap.read_options(data, 0)
    except FirstbootError as error:
        return None if error.fields.get("limit") else "no"  # how many there may be is not checked there
    return "".join(f"{number}:{value.hex()} " for number, value in options) + payload.hex()


def test_generated_options_are_read_as_the_reference_reads_them(answers):
    draw = random.Random(SEED)
    marks = (
        0x00,
        0x01,
        0x0C,
        0x0D,
        0x0E,
        0x0F,
        0x10,
        0xC1,
        0xD0,
        0xD1,
        0xDD,
        0xE0,
        0xE1,
        0xEE,
        0xF0,
        0xFE,
        0xFF,
    )
    made = [bytes(draw.choice(marks) for _ in range(draw.randrange(24))) for _ in range(20_000)]
    for _ in range(2000):
        number, options = 0, []
        for _ in range(draw.randrange(6)):
            number += draw.choice((0, 1, 12, 13, 268, 269, 300, 9000))
            options.append((number, draw.randbytes(draw.choice((0, 1, 12, 13, 268, 269, 300)))))
        made.append(coap.encode_options(options) + draw.choice((b"", b"\xffp", b"\xff", b"\xf0")))
    made += [b"", *(bytes((one, two)) for one in range(256) for two in range(0, 256, 5))]
    expected = [options_text(data) for data in made]
    found = ["no" if answer.endswith("no") else answer for answer in answers([("o", data) for data in made])]
    assert [
        (data.hex(), answer, right)
        for data, answer, right in zip(made, found, expected, strict=True)
        if right is not None and answer != right
    ] == []
    assert 1000 < expected.count("no") < len(expected) - 1000


def test_nonce_and_additional_data_are_those_of_the_reference_for_every_length(answers):
    draw = random.Random(SEED)
    records, expected = [], []
    for id_bytes in range(8):
        for piv_bytes in range(6):
            iv, kid, piv = draw.randbytes(13), draw.randbytes(id_bytes), draw.randbytes(piv_bytes)
            records.append(("n", iv + bytes((id_bytes,)) + kid + piv))
            expected.append((oscore.nonce(iv, kid, piv) + oscore.additional_data(kid, piv)).hex())
    assert answers(records) == expected

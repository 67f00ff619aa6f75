"""The C module _fbcrypto on the board, against published vectors, other libraries and its own reference."""

import hashlib
import hmac
import os

import pyhsslms
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from device.codec import cose
from device.crypto.p256 import p256_public, p256_sign, p256_verify
from tests.emulated.firmware_support import RemoteError, kit, prompt, remote_name
from tests.unit.device.trust import vectors

__all__ = ["kit", "prompt"]

pytestmark = pytest.mark.emulated

SETUP = """
import _fbcrypto as c
def attempt(function, *arguments):
    try:
        print(repr(function(*arguments)))
    except ValueError as error:
        print("ValueError", error)
"""
DIGEST = hashlib.sha256(b"message").digest()


@pytest.fixture(scope="module")
def crypto(prompt):
    prompt.run(SETUP)
    return prompt


def call(crypto, function, *arguments):
    """Return the repr of the C function's result, or ValueError and its text."""
    text = ", ".join(repr(argument) for argument in arguments)
    return crypto.run(f"attempt(c.{function}, {text})").strip()


class Repeated(bytes):
    """Bytes that the board makes by itself: a literal of 65 kB takes its heap several times."""

    def __repr__(self):
        return f"{bytes(self[:1])!r} * {len(self)}"


def literal(text):
    return eval(text, {"__builtins__": {}})  # noqa: S307  the repr of bytes, bools and tuples of our own board


def test_a_generated_key_signs_what_another_library_verifies(crypto):
    private, public = literal(call(crypto, "p256_generate"))
    signature = literal(call(crypto, "p256_sign", private, DIGEST))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    key.verify(utils.encode_dss_signature(r, s), DIGEST, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def test_generated_keys_differ(crypto):
    assert call(crypto, "p256_generate") != call(crypto, "p256_generate")


def test_signatures_are_those_of_rfc_6979(crypto):
    private = os.urandom(31).rjust(32, b"\1")
    assert literal(call(crypto, "p256_sign", private, DIGEST)) == p256_sign(private, DIGEST)


def test_a_public_key_is_the_references(crypto):
    private = os.urandom(31).rjust(32, b"\1")
    assert literal(call(crypto, "p256_public", private)) == p256_public(private)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("p256_public", (bytes(31),)),
        ("p256_public", (bytes(32),)),
        ("p256_public", (b"\xff" * 32,)),
        ("p256_sign", (bytes(32), bytes(32))),
        ("p256_sign", (b"\1" * 32, bytes(31))),
        ("p256_verify", (b"\4" + bytes(64), bytes(32), bytes(64))),
        ("p256_verify", (bytes(65), bytes(32), bytes(64))),
        ("p256_verify", (b"\4" + bytes(63), bytes(32), bytes(64))),
        ("p256_verify", (b"\2" + bytes(32), bytes(32), bytes(64))),
        ("aes_ccm_encrypt", (bytes(15), bytes(13), b"", b"", 8)),
        ("aes_ccm_encrypt", (bytes(16), bytes(12), b"", b"", 8)),
        ("aes_ccm_encrypt", (bytes(16), bytes(13), b"", b"", 10)),
        ("aes_ccm_encrypt", (bytes(16), bytes(13), b"", b"", -8)),
        ("aes_ccm_decrypt", (bytes(16), bytes(13), b"", bytes(7), 8)),
        ("aes_ccm_decrypt", (bytes(16), bytes(13), b"", bytes(8), 8)),
        ("sha256_into", (bytearray(31), b"")),
        ("cbor_decode", (b"\x18", 1, 1, False, None)),
        ("hss_verify", (bytes(59), b"", b"")),
        ("hss_verify", (bytes(60), b"", b"")),
    ],
)
def test_what_has_a_wrong_length_or_value_raises_valueerror(crypto, function, arguments):
    assert call(crypto, function, *arguments).startswith("ValueError")


def test_a_wrong_signature_is_false(crypto):
    private = b"\7" * 32
    signature = bytearray(p256_sign(private, DIGEST))
    assert call(crypto, "p256_verify", p256_public(private), DIGEST, bytes(signature)) == "True"
    signature[40] ^= 1
    assert call(crypto, "p256_verify", p256_public(private), DIGEST, bytes(signature)) == "False"


@pytest.mark.parametrize("signature", [bytes(64), b"\xff" * 64, bytes(63) + b"\1", b"\1" + bytes(63)])
def test_numbers_outside_the_group_are_false(crypto, signature):
    assert call(crypto, "p256_verify", p256_public(b"\7" * 32), DIGEST, signature) == "False"


def test_wycheproof_ecdsa_is_judged_as_published(crypto):
    found = vectors.load("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json")
    checked = 0
    for group in found["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["uncompressed"])
        for case in group["tests"]:
            signature = bytes.fromhex(case["sig"])
            digest = hashlib.sha256(bytes.fromhex(case["msg"])).digest()
            answer = call(crypto, "p256_verify", public, digest, signature)
            expected = "ValueError" if len(signature) != 64 else str(case["result"] == "valid")
            assert answer.startswith(expected), case["tcId"]
            checked += 1
    assert checked == found["numberOfTests"]


def test_wycheproof_aes_ccm_is_judged_as_published(crypto):
    checked = 0
    for group in vectors.load("wycheproof/aes_ccm_test.json")["testGroups"]:
        if (group["keySize"], group["ivSize"]) != (128, 104) or group["tagSize"] not in (64, 128):
            continue
        for case in group["tests"]:
            key, nonce, aad, text, sealed, tag = (
                bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
            )
            opened = call(crypto, "aes_ccm_decrypt", key, nonce, aad, sealed + tag, len(tag))
            if case["result"] == "valid":
                assert literal(opened) == text, case["tcId"]
                assert (
                    literal(call(crypto, "aes_ccm_encrypt", key, nonce, aad, text, len(tag))) == sealed + tag
                )
            else:
                assert opened.startswith("ValueError"), case["tcId"]
            checked += 1
    assert checked == 6  # few of the published ones have 13-byte nonces and these tags


@pytest.mark.parametrize("tag_bytes", [8, 16])
@pytest.mark.parametrize(("aad_bytes", "text_bytes"), [(0, 0), (1, 1), (14, 16), (300, 1000), (0xFEFF, 31)])
def test_aes_ccm_is_that_of_another_library(crypto, tag_bytes, aad_bytes, text_bytes):
    key, nonce, aad, text = os.urandom(16), os.urandom(13), Repeated(b"a" * aad_bytes), os.urandom(text_bytes)
    sealed = AESCCM(key, tag_bytes).encrypt(nonce, text, aad)
    assert literal(call(crypto, "aes_ccm_encrypt", key, nonce, aad, text, tag_bytes)) == sealed
    assert literal(call(crypto, "aes_ccm_decrypt", key, nonce, aad, sealed, tag_bytes)) == text
    wrong = bytes([sealed[0] ^ 1]) + sealed[1:]
    assert call(crypto, "aes_ccm_decrypt", key, nonce, aad, wrong, tag_bytes) == "ValueError AES-CCM tag"


@pytest.mark.parametrize(("key_bytes", "data_bytes"), [(0, 0), (32, 100), (64, 64), (65, 1000), (200, 3)])
def test_hmac_is_hmac(crypto, key_bytes, data_bytes):
    key, data = os.urandom(key_bytes), os.urandom(data_bytes)
    assert literal(call(crypto, "hmac_sha256", key, data)) == hmac.new(key, data, "sha256").digest()


@pytest.mark.parametrize(("password", "steps"), [(b"password", [1]), (b"x" * 65, [1, 1, 98]), (b"", [500])])
def test_pbkdf2_in_steps_is_pbkdf2(crypto, password, steps):
    code = f"p = c.Pbkdf2({password!r}, b'salt')\n" + "".join(f"p.step({count})\n" for count in steps)
    derived = hashlib.pbkdf2_hmac("sha256", password, b"salt", sum(steps))
    assert literal(crypto.run(code + "print(p.digest())")) == derived


@pytest.mark.parametrize("code", ["p.step(0)", "p.step(-1)", "p.digest()"])
def test_pbkdf2_needs_an_iteration(crypto, code):
    with pytest.raises(RemoteError) as caught:
        crypto.run(f"p = c.Pbkdf2(b'', b'')\n{code}")
    assert remote_name(caught.value) == "ValueError: PBKDF2 iterations"


@pytest.fixture(scope="module")
def signed():
    """{(levels, ots name): (public key, message, signature)}."""
    found = {}
    for levels in (1, 2):
        for name, ots in (("W4", pyhsslms.lmots_sha256_n32_w4), ("W8", pyhsslms.lmots_sha256_n32_w8)):
            key = pyhsslms.pyhsslms.HssPrivateKey(
                levels=levels, lms_type=pyhsslms.lms_sha256_m32_h5, lmots_type=ots
            )
            message = os.urandom(200)
            found[levels, name] = key.publicKey().serialize(), message, key.sign(message)
    return found


@pytest.mark.parametrize("name", ["W4", "W8"])
@pytest.mark.parametrize("levels", [1, 2])
def test_hss_signatures_of_another_library_verify(crypto, signed, levels, name):
    assert call(crypto, "hss_verify", *signed[levels, name]) == "True"


@pytest.mark.parametrize("levels", [1, 2])
def test_an_hss_signature_with_any_part_changed_is_false(crypto, signed, levels):
    public, message, signature = signed[levels, "W4"]
    step = max(1, len(signature) // 100)
    accepted = crypto.run(f"""
public, message, signature = {public!r}, {message!r}, bytearray({signature!r})
for at in range(3, len(signature), {step}):
    signature[at] ^= 1
    try:
        if c.hss_verify(public, message, signature):
            print(at)
    except ValueError:
        pass
    signature[at] ^= 1
print(c.hss_verify(public, message, signature))
""")
    assert accepted.strip() == "True"


@pytest.mark.parametrize("levels", [1, 2])
def test_an_hss_signature_of_another_length_is_false(crypto, signed, levels):
    public, message, signature = signed[levels, "W4"]
    for wrong in (b"", signature[:3], signature[:-1], signature + b"\0", signature[:60], signature[:2000]):
        assert call(crypto, "hss_verify", public, message, wrong) == "False"


def test_another_message_is_false(crypto, signed):
    public, message, signature = signed[1, "W4"]
    assert call(crypto, "hss_verify", public, message + b"\0", signature) == "False"


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        (0, 3, "HSS with 3 levels"),
        (4, 8, "LMS_SHA256_M32_H20"),
        (4, 9, "LMS_SHA256_M32_H25"),
        (4, 10, "LMS type 10"),
        (8, 1, "LMOTS_SHA256_N32_W1"),
        (8, 2, "LMOTS_SHA256_N32_W2"),
        (8, 5, "LM-OTS type 5"),
    ],
)
def test_what_is_not_supported_is_refused_by_its_name(crypto, signed, field, value, name):
    public, message, signature = signed[1, "W4"]
    key = bytearray(public)
    key[field : field + 4] = value.to_bytes(4, "big")
    assert call(crypto, "hss_verify", bytes(key), message, signature) == f"ValueError {name}"


@pytest.mark.parametrize("name", ["hashsig-01", "hsssig-sig-01"])
def test_the_examples_of_rfc_8778_verify(crypto, name):
    given = vectors.load(f"cose/hashsig/{name}.json")
    signed = cose.decode(bytes.fromhex(given["output"]["cbor"]))
    signer = given["input"].get("sign0") or given["input"]["sign"]["signers"][0]
    public = bytes.fromhex(signer["key"]["public"])
    steps = given["intermediates"]
    text = steps["ToBeSign_hex"] if "ToBeSign_hex" in steps else steps["signers"][0]["ToBeSign_hex"]
    answer = call(crypto, "hss_verify", public, bytes.fromhex(text), signed.signers[-1].signature)
    assert answer == "True"


def test_the_c_module_and_its_reference_agree_on_verification(crypto):
    for _ in range(5):
        private = os.urandom(31).rjust(32, b"\1")
        digest = os.urandom(32)
        signature = p256_sign(private, digest)
        public = p256_public(private)
        assert p256_verify(public, digest, signature)
        assert call(crypto, "p256_verify", public, digest, signature) == "True"

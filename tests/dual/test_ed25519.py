"""Ed25519 (RFC 8032) and its SHA-512, in plain Python: published values, and refusal of every second encoding."""

import hashlib

from device.crypto import ed25519
from device.crypto.sha512 import sha512

# RFC 8032 7.1, tests 1 to 3: (public key, message, signature).
VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
)
PUBLIC, MESSAGE, SIGNATURE = [bytes.fromhex(part) for part in VECTORS[1]]


def raises(function, *arguments):
    try:
        function(*arguments)
    except ValueError:
        return True
    return False


def test_the_signatures_of_rfc_8032_verify():
    for public, message, signature in VECTORS:
        assert ed25519.ed25519_verify(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


def test_another_message_does_not_verify():
    assert not ed25519.ed25519_verify(PUBLIC, b"\x73", SIGNATURE)


def test_a_changed_r_or_s_does_not_verify():
    for offset in (0, 31, 32, 60):
        damaged = bytearray(SIGNATURE)
        damaged[offset] ^= 1
        assert not ed25519.ed25519_verify(PUBLIC, MESSAGE, bytes(damaged))


def test_s_past_the_group_order_is_a_second_form_and_wrong():
    s = int.from_bytes(SIGNATURE[32:], "little") + ed25519.L
    assert not ed25519.ed25519_verify(PUBLIC, MESSAGE, SIGNATURE[:32] + s.to_bytes(32, "little"))


def test_wrong_lengths_and_keys_that_are_no_points_raise_value_error():
    for public, signature in (
        (PUBLIC[1:], SIGNATURE),
        (PUBLIC, SIGNATURE[1:]),
        (b"\x02" + bytes(31), SIGNATURE),  # x would have to be the root of a non-square
        (b"\xff" * 32, SIGNATURE),  # y past the field's prime
        (b"\x01" + bytes(30) + b"\x80", SIGNATURE),  # negative zero
    ):
        assert raises(ed25519.ed25519_verify, public, MESSAGE, signature)


def test_points_round_trip():
    for data in (PUBLIC, b"\x01" + bytes(31), b"\x58" + b"\x66" * 31):
        assert ed25519.encode_point(ed25519.decode_point(data)) == data


def test_sha512_gives_the_values_of_fips_180():
    assert sha512(b"").hex().startswith("cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce")
    assert sha512(b"abc").hex().startswith("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a")


def test_sha512_agrees_with_hashlib_where_there_is_one():
    if not hasattr(hashlib, "sha512"):
        return  # a board without it checks the published values above
    for length in (1, 63, 64, 111, 112, 127, 128, 129, 239, 240, 300):
        data = bytes([length & 0xFF]) * length
        assert sha512(data) == hashlib.sha512(data).digest()

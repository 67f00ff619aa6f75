"""The reference cryptography against `cryptography` (OpenSSL) and hashlib on generated inputs."""

import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st

from device.crypto import aes_ccm, hmac_, p256

SCALARS = st.one_of(st.integers(1, p256.N - 1), st.integers(1, 40), st.integers(p256.N - 40, p256.N - 1))


def _exactly(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


@settings(max_examples=50)
@given(SCALARS)
def test_public_keys_are_those_of_openssl(scalar: int) -> None:
    numbers = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    public = p256.p256_public(scalar.to_bytes(32, "big"))
    assert public == b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


@settings(max_examples=50)
@given(SCALARS, st.binary(max_size=64))
def test_openssl_verifies_what_we_sign_and_so_do_we(scalar: int, message: bytes) -> None:
    private, digest = scalar.to_bytes(32, "big"), hashlib.sha256(message).digest()
    signature = p256.p256_sign(private, digest)
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    key = ec.derive_private_key(scalar, ec.SECP256R1()).public_key()
    key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    assert p256.p256_verify(p256.p256_public(private), digest, signature)


@settings(max_examples=50)
@given(SCALARS, _exactly(32), _exactly(64))
def test_random_signatures_do_not_verify(scalar: int, digest: bytes, signature: bytes) -> None:
    assert not p256.p256_verify(p256.p256_public(scalar.to_bytes(32, "big")), digest, signature)


@given(_exactly(16), _exactly(13), st.binary(max_size=50), st.binary(max_size=200), st.sampled_from([8, 16]))
def test_aes_ccm_is_that_of_openssl(key: bytes, nonce: bytes, aad: bytes, text: bytes, size: int) -> None:
    sealed = aes_ccm.aes_ccm_encrypt(key, nonce, aad, text, size)
    assert sealed == AESCCM(key, size).encrypt(nonce, text, aad)
    assert aes_ccm.aes_ccm_decrypt(key, nonce, aad, sealed, size) == text


@given(st.binary(max_size=150), st.binary(max_size=150))
def test_hmac_is_that_of_hashlib(key: bytes, data: bytes) -> None:
    assert hmac_.hmac_sha256(key, data) == hmac.new(key, data, "sha256").digest()


@settings(max_examples=30)
@given(st.binary(max_size=100), st.binary(max_size=40), st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_pbkdf2_in_any_slices_is_that_of_hashlib(password: bytes, salt: bytes, slices: list[int]) -> None:
    derivation = hmac_.Pbkdf2(password, salt)
    for iterations in slices:
        derivation.step(iterations)
    assert derivation.digest() == hashlib.pbkdf2_hmac("sha256", password, salt, sum(slices))


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_equal_is_equality(first: bytes, second: bytes) -> None:
    assert hmac_.equal(first, second) == (first == second)
    assert hmac_.equal(first, bytes(bytearray(first)))

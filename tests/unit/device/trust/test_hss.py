"""HSS/LMS: device code verifies signatures of an independent signer (pyhsslms)."""

import pytest
from pyhsslms import pyhsslms

from device.codec import cose
from device.crypto import lms
from device.errors import SignatureError, UnsupportedError
from device.trust import signatures, signed_record
from device.trust.anchors import NO_RULES, ROLE_AUTHOR, ROLE_SUPPORT, Anchors, Key

SEED = bytes(range(32))
TYP = "application/vnd.firstboot.support+cbor"
W4, W8 = pyhsslms.lmots_sha256_n32_w4, pyhsslms.lmots_sha256_n32_w8


def _key(levels: int, width: bytes) -> pyhsslms.HssPrivateKey:
    return pyhsslms.HssPrivateKey(levels, pyhsslms.lms_sha256_m32_h5, width, SEED=SEED)


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("width", [W4, W8])
def test_signatures_of_every_supported_form_verify(levels: int, width: bytes) -> None:
    key = _key(levels, width)
    public = key.publicKey().serialize()
    for message in (b"", b"first", b"second" * 100):
        signature = key.sign(message)
        assert lms.hss_verify(public, message, signature)
        assert not lms.hss_verify(public, message + b"!", signature)


def test_every_leaf_of_a_tree_verifies() -> None:
    key = _key(1, W4)
    public = key.publicKey().serialize()
    for leaf in range(32):
        message = bytes([leaf])
        assert lms.hss_verify(public, message, key.sign(message))


def test_a_second_tree_verifies_when_the_first_is_used_up() -> None:
    key = _key(2, W4)
    public = key.publicKey().serialize()
    for _ in range(32):
        key.sign(b"spent")
    signature = key.sign(b"message")
    assert signature[4:8] == bytes([0, 0, 0, 1])  # the second leaf of the top tree
    assert lms.hss_verify(public, b"message", signature)


def test_no_changed_byte_of_a_signature_passes() -> None:
    key = _key(1, W4)
    public = key.publicKey().serialize()
    signature = key.sign(b"message")
    for offset in range(0, len(signature), 11):
        damaged = bytearray(signature)
        damaged[offset] ^= 0x10
        assert not lms.hss_verify(public, b"message", bytes(damaged))


@pytest.mark.parametrize(
    ("levels", "width", "name"),
    [
        (3, W4, "3 levels"),
        (1, pyhsslms.lmots_sha256_n32_w1, "LMOTS_SHA256_N32_W1"),
        (1, pyhsslms.lmots_sha256_n32_w2, "LMOTS_SHA256_N32_W2"),
    ],
)
def test_other_forms_are_refused_by_name(levels: int, width: bytes, name: str) -> None:
    key = _key(levels, width)
    with pytest.raises(ValueError, match=name):
        lms.hss_verify(key.publicKey().serialize(), b"m", key.sign(b"m"))


def test_hashes_of_24_bytes_are_refused() -> None:
    key = pyhsslms.HssPrivateKey(1, pyhsslms.lms_sha256_m24_h5, pyhsslms.lmots_sha256_n24_w8, SEED=bytes(24))
    with pytest.raises(ValueError, match="HSS public key"):
        lms.hss_verify(key.publicKey().serialize(), b"m", key.sign(b"m"))


def _record(key: pyhsslms.HssPrivateKey, algorithm: int) -> bytes:
    return cose.sign1_encode(
        b"payload", algorithm=algorithm, key_id=b"h", sign=key.sign, typ=TYP, external_aad=TYP.encode()
    )


def _anchors(public: bytes) -> Anchors:
    return Anchors(bytes(16), bytes(16), (Key(b"h", cose.ALG_HSS_LMS, ROLE_SUPPORT, public),), 0, 0, NO_RULES)


def test_a_record_signed_with_hss_is_accepted() -> None:
    key = _key(2, W8)
    data = _record(key, cose.ALG_HSS_LMS)
    anchors = _anchors(key.publicKey().serialize())
    assert signed_record.verify_record(data, TYP, ROLE_SUPPORT, anchors) == b"payload"


def test_a_record_of_another_hss_key_is_refused() -> None:
    data = _record(_key(1, W4), cose.ALG_HSS_LMS)
    other = pyhsslms.HssPrivateKey(1, pyhsslms.lms_sha256_m32_h5, W4, SEED=bytes(32))
    with pytest.raises(SignatureError):
        signed_record.verify_record(data, TYP, ROLE_SUPPORT, _anchors(other.publicKey().serialize()))


def test_an_anchor_with_an_unsupported_tree_is_refused_by_name() -> None:
    key = _key(1, pyhsslms.lmots_sha256_n32_w2)
    anchor = Key(b"h", cose.ALG_HSS_LMS, ROLE_AUTHOR, key.publicKey().serialize())
    with pytest.raises(UnsupportedError, match="LMOTS_SHA256_N32_W2"):
        signatures.verify_signature(anchor, b"m", key.sign(b"m"))

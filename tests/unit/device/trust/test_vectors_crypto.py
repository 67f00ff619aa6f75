"""The reference cryptography against Wycheproof (P-256, AES-CCM, HKDF)."""

from hashlib import sha256
from typing import Any

import pytest

from device.crypto import aes_ccm, ed25519, hmac_, p256
from tests.unit.device.trust.vectors import load

pytestmark = pytest.mark.vectors


def _cases(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(group, case) for group in load(f"wycheproof/{name}")["testGroups"] for case in group["tests"]]


def _verifies(public: bytes, digest: bytes, signature: bytes) -> bool:
    try:
        return p256.p256_verify(public, digest, signature)
    except ValueError:
        return False


def test_p256_gives_wycheproofs_verdict_on_every_signature() -> None:
    cases = _cases("ecdsa_secp256r1_sha256_p1363_test.json")
    wrong = [
        case["tcId"]
        for group, case in cases
        if _verifies(
            bytes.fromhex(group["publicKey"]["uncompressed"]),
            sha256(bytes.fromhex(case["msg"])).digest(),
            bytes.fromhex(case["sig"]),
        )
        != (case["result"] == "valid")
    ]
    assert len(cases) > 200
    assert wrong == []


def _opens(case: dict[str, Any], tag_bytes: int) -> bool:
    key, nonce, aad = (bytes.fromhex(case[name]) for name in ("key", "iv", "aad"))
    sealed = bytes.fromhex(case["ct"] + case["tag"])
    try:
        plaintext = aes_ccm.aes_ccm_decrypt(key, nonce, aad, sealed, tag_bytes)
    except ValueError:
        return False
    return plaintext == bytes.fromhex(case["msg"])


def _aes_ccm_cases() -> list[dict[str, Any]]:
    """Yield the few cases with OSCORE's nonce length; tests/property compares many more with another implementation."""
    sizes = {"keySize": 128, "ivSize": 104, "tagSize": 128}
    cases = [
        case
        for group, case in _cases("aes_ccm_test.json")
        if all(group[name] == size for name, size in sizes.items())
    ]
    assert len(cases) >= 3
    return cases


def test_aes_ccm_gives_wycheproofs_verdict_on_every_message_of_its_sizes() -> None:
    cases = _aes_ccm_cases()
    assert [case["tcId"] for case in cases if _opens(case, 16) != (case["result"] == "valid")] == []


def test_aes_ccm_seals_as_wycheproof_does() -> None:
    for case in _aes_ccm_cases():
        key, nonce, aad, message = (bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg"))
        sealed = aes_ccm.aes_ccm_encrypt(key, nonce, aad, message, 16)
        assert sealed == bytes.fromhex(case["ct"] + case["tag"]), case["tcId"]


def test_aes_ccm_refuses_every_other_nonce_length() -> None:
    groups = [(group, case) for group, case in _cases("aes_ccm_test.json") if group["ivSize"] != 104]
    assert groups
    for group, case in groups:
        if group["keySize"] == 128:
            assert not _opens(case, 16 if group["tagSize"] == 128 else 8)


def test_hkdf_gives_wycheproofs_keys() -> None:
    for _, case in _cases("hkdf_sha256_test.json"):
        secret, salt, info = (bytes.fromhex(case[name]) for name in ("ikm", "salt", "info"))
        if case["result"] == "valid":
            assert hmac_.hkdf_sha256(salt, secret, info, case["size"]).hex() == case["okm"], case["tcId"]
        else:
            with pytest.raises(ValueError, match="HKDF length"):
                hmac_.hkdf_sha256(salt, secret, info, case["size"])


def _verifies_ed25519(public: str, case: dict[str, Any]) -> bool:
    try:
        return ed25519.ed25519_verify(*(bytes.fromhex(one) for one in (public, case["msg"], case["sig"])))
    except ValueError:
        return False


def test_ed25519_gives_wycheproofs_verdict_on_every_signature() -> None:
    cases = _cases("ed25519_test.json")
    assert len(cases) > 100
    wrong = [
        case["tcId"]
        for group, case in cases
        if _verifies_ed25519(group["publicKey"]["pk"], case) != (case["result"] == "valid")
    ]
    assert wrong == []

"""Keys in a token: SoftHSM2 signs P-256 and Ed25519; the PIN is only in its variable."""

import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from device.codec import cose
from device.crypto import backend
from provisioning.keys import pkcs11_signer
from provisioning.keys.pkcs11_signer import Pkcs11Signer, TokenError, TokenKey, ask_pin
from provisioning.keys.pki import CertificateAuthority
from tests.unit.conftest import PIN


def _uri(module: str, name: str) -> str:
    return f"pkcs11:token=maker;object={name}?module-path={module}"


@pytest.mark.parametrize(
    ("kind", "algorithm", "verify"),
    [("p256", cose.ALG_ESP256, backend.p256_verify), ("ed25519", cose.ALG_ED25519, backend.ed25519_verify)],
)
def test_a_token_signs_what_a_device_verifies(softhsm: str, kind: str, algorithm: int, verify) -> None:
    made = Pkcs11Signer.create(_uri(softhsm, kind), kind, lambda: PIN)
    found = Pkcs11Signer(_uri(softhsm, kind), lambda: PIN)
    assert (found.algorithm, found.public, found.key_id) == (algorithm, made.public, made.key_id)
    signature = found.sign(b"message")
    signed = backend.sha256(b"message") if kind == "p256" else b"message"
    assert verify(found.public, signed, signature)
    assert not verify(found.public, signed[:-1] + b"!", signature)


def test_ports_that_sign_at_the_same_moment_do_not_log_each_other_out(softhsm: str) -> None:
    signers = [Pkcs11Signer.create(_uri(softhsm, name), "p256", lambda: PIN) for name in ("left", "right")]
    with ThreadPoolExecutor(max_workers=8) as ports:
        signed = list(ports.map(lambda number: signers[number % 2].sign(bytes([number])), range(32)))
    for number, signature in enumerate(signed):
        assert backend.p256_verify(signers[number % 2].public, backend.sha256(bytes([number])), signature)


def test_a_key_made_here_cannot_be_extracted(softhsm: str) -> None:
    signer = Pkcs11Signer.create(_uri(softhsm, "kept"), "p256", lambda: PIN)
    with signer._session.open() as session:
        private = signer._find(session, pkcs11_signer.ObjectClass.PRIVATE_KEY)
        assert private[pkcs11_signer.Attribute.EXTRACTABLE] is False
        assert private[pkcs11_signer.Attribute.SENSITIVE] is True


def test_a_second_key_of_the_same_name_is_refused(softhsm: str) -> None:
    Pkcs11Signer.create(_uri(softhsm, "once"), "p256", lambda: PIN)
    with pytest.raises(TokenError):
        Pkcs11Signer.create(_uri(softhsm, "once"), "p256", lambda: PIN)


@pytest.mark.parametrize("name", ["nobody", "p256x"])
def test_a_key_that_is_not_there_is_a_typed_error(softhsm: str, name: str) -> None:
    with pytest.raises(TokenError, match="0 keys"):
        Pkcs11Signer(_uri(softhsm, name), lambda: PIN)


def test_a_wrong_pin_is_a_typed_error_that_does_not_repeat_it(softhsm: str) -> None:
    with pytest.raises(TokenError) as caught:
        Pkcs11Signer(_uri(softhsm, "any"), lambda: "11223344")
    assert "11223344" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_another_token_and_another_module_are_typed_errors(softhsm: str, tmp_path: Path) -> None:
    for uri in (
        f"pkcs11:token=stranger;object=a?module-path={softhsm}",
        f"pkcs11:token=maker;object=a?module-path={tmp_path / 'no.so'}",
    ):
        with pytest.raises(TokenError):
            Pkcs11Signer(uri, lambda: PIN)


def test_the_pin_is_in_no_representation(softhsm: str) -> None:
    signer = Pkcs11Signer.create(_uri(softhsm, "quiet"), "p256", lambda: PIN)
    assert PIN not in repr(signer) + repr(signer._session) + repr(signer._key)


def test_certificates_load_after_the_use_of_a_token(softhsm: str) -> None:
    """SoftHSM2 shares OpenSSL with Python and leaves errors in its queue, which made the next certificate fail."""
    Pkcs11Signer.create(_uri(softhsm, "before"), "p256", lambda: PIN).sign(b"message")
    der = CertificateAuthority.create("ca").certificate_der
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)


def test_the_pin_comes_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pkcs11_signer.PIN_VARIABLE, PIN)
    assert ask_pin() == PIN


def test_without_variable_and_terminal_there_is_no_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pkcs11_signer.PIN_VARIABLE, raising=False)
    with pytest.raises(TokenError, match=pkcs11_signer.PIN_VARIABLE):
        ask_pin()


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:",
        "pkcs11:token=a?module-path=m",
        "pkcs11:object=a?module-path=m",
        "pkcs11:token=a;object=b;object=c?module-path=m",
        "pkcs11:token=a;object=b;colour=c?module-path=m",
        "pkcs11:token=;object=b?module-path=m",
        "pkcs11:token=a;object=b",
        "http:token=a;object=b?module-path=m",
        f"pkcs11:token=a;object=b?pin-value={PIN}&module-path=m",
        f"pkcs11:token=a;object=b?pin-source={PIN}&module-path=m",
    ],
)
def test_a_uri_that_is_not_whole_is_refused_without_repeating_a_pin(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(pkcs11_signer.MODULE_VARIABLE, raising=False)
    with pytest.raises(ValueError) as caught:
        TokenKey.parse(uri)
    assert PIN not in str(caught.value)


def test_percent_encoding_is_taken_apart() -> None:
    key = TokenKey.parse("pkcs11:token=My%20Maker;id=%01%ff?module-path=/x")
    assert (key.token, key.object_id, key.label) == ("My Maker", b"\x01\xff", None)

"""The maker's authorities and key folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.keys.key_ring import KeyRing, KeyRingError
from provisioning.keys.pki import CertificateAuthority, CertificateRequestError


def request(curve: ec.EllipticCurve | None = None) -> bytes:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ignored")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_a_device_certificate_never_expires_and_carries_the_name_it_was_given() -> None:
    certificate = x509.load_der_x509_certificate(
        CertificateAuthority.create("ca").issue_from_csr(request(), "00" * 16)
    )
    assert certificate.not_valid_after_utc.year == 9999
    assert certificate.subject.rfc4514_string() == "CN=" + "00" * 16


def test_a_request_that_its_own_key_did_not_sign_is_refused() -> None:
    damaged = bytearray(request())
    damaged[-1] ^= 1
    with pytest.raises(CertificateRequestError):
        CertificateAuthority.create("ca").issue_from_csr(bytes(damaged), "x")


def test_a_request_for_another_curve_is_refused() -> None:
    with pytest.raises(CertificateRequestError, match="P-256"):
        CertificateAuthority.create("ca").issue_from_csr(request(ec.SECP384R1()), "x")


def test_a_client_certificate_is_no_server_certificate() -> None:
    authority = CertificateAuthority.create("ca")
    usage = authority.issue_client("c").certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert x509.ExtendedKeyUsageOID.SERVER_AUTH not in usage.value


def test_development_keys_are_private_marked_and_generated_once(tmp_path: Path) -> None:
    ring = KeyRing.generate_development(tmp_path / "keys")
    first = ring.anchor_keys()
    assert ring.is_development
    assert KeyRing.generate_development(tmp_path / "keys").anchor_keys() == first
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in ring.directory.glob("*.pem"))


def test_two_checkouts_draw_different_keys(tmp_path: Path) -> None:
    one, other = (KeyRing.generate_development(tmp_path / name).anchor_keys() for name in ("a", "b"))
    assert not {key.public for key in one} & {key.public for key in other}


def test_development_keys_never_replace_keys_of_a_product(tmp_path: Path) -> None:
    ring = KeyRing.generate_development(tmp_path / "keys")
    (ring.directory / "DEVELOPMENT-KEYS").unlink()
    with pytest.raises(KeyRingError, match="not for development"):
        KeyRing.generate_development(tmp_path / "keys")


def test_an_incomplete_key_folder_names_what_is_missing(tmp_path: Path) -> None:
    ring = KeyRing.generate_development(tmp_path / "keys")
    ring.signer_path("author").unlink()
    with pytest.raises(KeyRingError, match=r"author\.pem"):
        KeyRing(ring.directory)

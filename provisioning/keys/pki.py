"""The maker's certificate authorities: device certificates, server chains, client certificates.

Rules (docs/design.md, Roles and keys):
1. A device certificate is valid to 99991231235959Z (RFC 5280 4.1.2.5: no well-defined expiry); revocation is the
   servers' list. Its subject is the random device id, never a serial number.
2. The key usage limits a certificate: a server certificate cannot be used as a client certificate, nor the reverse.
3. Private keys are written with mode 0600 and leave this module only as PEM or DER on request.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provisioning.file_system import PRIVATE, NewFile, is_there, replace_files
from provisioning.keys.pem import load_private_pem, private_pem, read_private

NO_EXPIRY = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
BACKDATE = dt.timedelta(days=1)  # a server whose clock is slow accepts a new certificate
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


class CertificateRequestError(ValueError):
    """A certificate request is damaged, not signed by its own key, or not for a P-256 key."""


@dataclass(frozen=True)
class Credentials:
    """A certificate and its private key. `repr` does not show the key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def certificate_der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def private_key_pem(self) -> bytes:
        return private_pem(self.key)

    @property
    def private_key_der(self) -> bytes:
        """SEC 1 ECPrivateKey (RFC 5915), which Mbed TLS on the device reads."""
        return self.key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )

    def save(self, directory: Path, stem: str) -> tuple[Path, Path]:
        """Write STEM.crt and STEM.key (mode 0600) into `directory`. Returns both paths."""
        certificate_path, key_path = directory / f"{stem}.crt", directory / f"{stem}.key"
        key_path.parent.mkdir(parents=True, exist_ok=True)
        key = NewFile(key_path, self.private_key_pem, PRIVATE)
        replace_files([NewFile(certificate_path, self.certificate_pem), key])
        return certificate_path, key_path


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


class CertificateAuthority:
    """One self-signed P-256 authority."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials

    @classmethod
    def create(
        cls, name: str, key: ec.EllipticCurvePrivateKey | None = None, days: int | None = None
    ) -> CertificateAuthority:
        """Return a root certificate called `name`, valid for `days` or without end. None for `key` generates one."""
        return cls._self_signed(_subject(name), key or ec.generate_private_key(ec.SECP256R1()), days)

    def renewed(self, days: int | None = None) -> CertificateAuthority:
        """Return the same authority with a new certificate: same key, same name, new serial number and validity.

        Certificates issued under the old one verify under the new one and the reverse, because verification uses name
        and key (RFC 5280 6.1). No device or server has to change.
        """
        return self._self_signed(self.credentials.certificate.subject, self.credentials.key, days)

    @classmethod
    def _self_signed(
        cls, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int | None
    ) -> CertificateAuthority:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATE)
            .not_valid_after(NO_EXPIRY if days is None else now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(is_authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(Credentials(builder.sign(key, hashes.SHA256()), key))

    @classmethod
    def load(cls, certificate_path: Path, key_path: Path) -> CertificateAuthority:
        """Read the files of `save`. Raises ValueError if key and certificate do not belong together, OSError.

        A file of the key's name with .uri in place of .key names a signer (a token) that holds the key instead.
        """
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        uri = key_path.with_suffix(".uri")
        if is_there(uri):
            from provisioning.keys.held_key import HeldKey
            from provisioning.keys.signers import open_signer

            key: ec.EllipticCurvePrivateKey = HeldKey(open_signer(uri.read_text(encoding="utf-8").strip()))
        else:
            key = load_private_pem(read_private(key_path))
        if certificate.public_key() != key.public_key():
            raise ValueError(f"{key_path.name} is not the key of {certificate_path.name}")
        return cls(Credentials(certificate, key))

    def save(self, directory: Path, stem: str) -> tuple[Path, Path]:
        """Write STEM.crt and STEM.key into `directory`."""
        return self.credentials.save(directory, stem)

    @property
    def certificate_der(self) -> bytes:
        return self.credentials.certificate_der

    @property
    def certificate_pem(self) -> bytes:
        return self.credentials.certificate_pem

    def issue_server(
        self, common_name: str, dns_names: tuple[str, ...] | list[str], days: int = 825
    ) -> Credentials:
        """Generate a key and a server certificate for `dns_names`, valid for `days`."""
        key = ec.generate_private_key(ec.SECP256R1())
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
        return Credentials(self._issue(key.public_key(), common_name, [SERVER], tuple(dns_names), until), key)

    def issue_client(self, common_name: str, days: int = 825) -> Credentials:
        """Generate a key and a client certificate: for the publisher, the tracker or an operator's tool."""
        key = ec.generate_private_key(ec.SECP256R1())
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
        return Credentials(self._issue(key.public_key(), common_name, [CLIENT], (), until), key)

    def issue_from_csr(
        self, csr_der: bytes, common_name: str, *, is_server: bool = False, dns_names: tuple[str, ...] = ()
    ) -> bytes:
        """Certify the key of a PKCS#10 request (RFC 2986) whose self-signature proves possession.

        The subject in the request is ignored; `common_name` is used. Valid to 99991231235959Z. Returns DER.
        Raises CertificateRequestError.
        """
        try:
            request = x509.load_der_x509_csr(csr_der)
            key = request.public_key()
            is_proved = request.is_signature_valid
        except ValueError as error:
            raise CertificateRequestError("This is not a PKCS#10 request.") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise CertificateRequestError("The request is not for a P-256 key.")
        if not is_proved:
            raise CertificateRequestError("The request is not signed by its own key.")
        usage = SERVER if is_server else CLIENT
        certificate = self._issue(key, common_name, [usage], dns_names, NO_EXPIRY)
        return certificate.public_bytes(serialization.Encoding.DER)

    def _issue(
        self,
        key: ec.EllipticCurvePublicKey,
        common_name: str,
        usages: list[x509.ObjectIdentifier],
        dns_names: tuple[str, ...],
        until: dt.datetime,
    ) -> x509.Certificate:
        authority = self.credentials.certificate
        builder = (
            x509.CertificateBuilder()
            .subject_name(_subject(common_name))
            .issuer_name(authority.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(dt.datetime.now(dt.UTC) - BACKDATE)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(is_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.credentials.key.public_key()),
                critical=False,
            )
        )
        if dns_names:
            names = x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.credentials.key, hashes.SHA256())

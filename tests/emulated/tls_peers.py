"""Certificates made for one test, and a TLS server on loopback that a board reaches at 10.0.2.2."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.patience import joined

SERVER_NAME = "server.test"
SILENCE_S = 600  # of a board; an idle machine needs a second
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def moment(year: int) -> datetime.datetime:
    return datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)


def unix_s(year: int) -> int:
    return int(moment(year).timestamp())


@dataclass(frozen=True)
class Identity:
    """A key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def certificate_der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_der(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )

    def write_pem(self, path: Path) -> Path:
        path.write_bytes(
            self.certificate.public_bytes(serialization.Encoding.PEM)
            + self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path


def _general_name(name: str) -> x509.GeneralName:
    """Return an IP address as such (RFC 5280 4.2.1.6), anything else as a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def issue(
    name: str,
    issuer: Identity | None = None,
    *,
    usages: Sequence[x509.ObjectIdentifier] = (),
    years: tuple[int, int] = (2020, 2090),
) -> Identity:
    """Return a certificate authority if there is no issuer, else a leaf."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment(years[0]))
        .not_valid_after(moment(years[1]))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name)]), critical=False)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
    return Identity(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


@dataclass
class TlsServer:
    """A server's record: one entry for each connection, the client's common name or the error's text."""

    port: int
    seen: list[str]


@contextmanager
def tls_server(identity: Identity, client_ca: Identity, folder: Path) -> Iterator[TlsServer]:
    """Serve an echo in upper case over TLS 1.2, with required client certificates, until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.write_pem(folder / "server.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    ca = folder / "client-ca.pem"
    ca.write_bytes(client_ca.certificate.public_bytes(serialization.Encoding.PEM))
    context.load_verify_locations(ca)
    listener = socket.create_server(("127.0.0.1", 0))
    server = TlsServer(listener.getsockname()[1], [])
    thread = threading.Thread(target=_serve, args=(listener, context, server.seen), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        joined(thread)


def _serve(listener: socket.socket, context: ssl.SSLContext, seen: list[str]) -> None:
    while True:
        try:
            raw, _ = listener.accept()
        except OSError:
            return
        raw.settimeout(SILENCE_S)
        try:
            with context.wrap_socket(raw, server_side=True) as secured:
                subject = dict(pair[0] for pair in secured.getpeercert()["subject"])
                seen.append(subject["commonName"])
                while data := secured.recv(4096):
                    secured.sendall(data.upper())
        except OSError as error:
            seen.append(str(error))
            raw.close()

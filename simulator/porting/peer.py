"""The TLS server that the checks of the network step talk to, with certificates made for this run."""

from __future__ import annotations

import datetime
import socket
import ssl
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from simulator.porting.errors import BoardError

NAME: Final = "server.test"
_YEARS: Final = (2020, 2039)
_TOO_LATE: Final = 2040
_SILENCE_S: Final = 30.0
_END_TIMEOUT_S: Final = 10.0
_READ_BYTES: Final = 4096


class Peer:
    """A server that answers in upper case over TLS 1.2 and demands a client certificate of its authority."""

    def __init__(self, address: str) -> None:
        """Listen on `address`. Raises BoardError if this computer does not have it."""
        authority, other = _Authority("authority"), _Authority("another authority")
        server = authority.issue(NAME, ExtendedKeyUsageOID.SERVER_AUTH)
        client = authority.issue("board", ExtendedKeyUsageOID.CLIENT_AUTH)
        try:
            self._listener = socket.create_server((address, 0))
        except OSError as error:
            raise BoardError(f"This computer cannot serve on {address}: {error.strerror}") from None
        with socket.create_server((address, 0)) as closed:
            closed_port = closed.getsockname()[1]
        self.bench: dict[str, Any] = {
            "port": self._listener.getsockname()[1],
            "closed_port": closed_port,
            "name": NAME,
            "ca": authority.der,
            "other_ca": other.der,
            "cert": client[0],
            "key": client[1],
            "too_late_s": int(_moment(_TOO_LATE).timestamp()),
        }
        context = _context(authority, server)
        self._thread = threading.Thread(target=self._serve, args=(context,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the server."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_END_TIMEOUT_S)

    def _serve(self, context: ssl.SSLContext) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            raw.settimeout(_SILENCE_S)
            try:
                with context.wrap_socket(raw, server_side=True) as secured:
                    while data := secured.recv(_READ_BYTES):
                        secured.sendall(data.upper())
            except OSError:  # the check wants this: a refused handshake
                raw.close()


def _moment(year: int) -> datetime.datetime:
    return datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class _Authority:
    """A certificate authority of one run."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.der = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def issue(self, name: str, usage: x509.ObjectIdentifier) -> tuple[bytes, bytes]:
        """Return a certificate and its private key, both DER."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(name), key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        return certificate.public_bytes(serialization.Encoding.DER), private

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_moment(_YEARS[0]))
            .not_valid_after(_moment(_YEARS[1]))
        )


def _context(authority: _Authority, server: tuple[bytes, bytes]) -> ssl.SSLContext:
    """Return the server's settings; its key is in a private file for a moment, since ssl loads it from nowhere else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.der)
    certificate = ssl.DER_cert_to_PEM_cert(server[0])
    key = serialization.load_der_private_key(server[1], None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.touch(mode=0o600)
        file.write_text(certificate + key.decode())
        context.load_cert_chain(file)
    return context

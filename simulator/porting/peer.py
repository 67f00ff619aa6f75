"""The TLS server that the checks of the network step talk to, with certificates made for this run."""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

from provisioning.keys.pki import CertificateAuthority, Credentials
from simulator.porting.errors import BoardError

NAME: Final = "server.test"
_DAY_S: Final = 86400
_SILENCE_S: Final = 30.0
_END_TIMEOUT_S: Final = 10.0
_READ_BYTES: Final = 4096


class Peer:
    """A server that answers in upper case over TLS 1.2 and demands a client certificate of its authority."""

    def __init__(self, address: str) -> None:
        """Listen on `address`. Raises BoardError if this computer does not have it."""
        authority = CertificateAuthority.create("authority")
        other = CertificateAuthority.create("another authority")
        server, client = authority.issue_server(NAME, [NAME]), authority.issue_client("board")
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
            "ca": authority.certificate_der,
            "other_ca": other.certificate_der,
            "cert": client.certificate_der,
            "key": client.private_key_der,
            "too_late_s": int(server.certificate.not_valid_after_utc.timestamp()) + _DAY_S,
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


def _context(authority: CertificateAuthority, server: Credentials) -> ssl.SSLContext:
    """Return the server's settings; its key is in a private file for a moment, since ssl loads it from nowhere else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.certificate_der)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*server.save(Path(folder), "server"))
    return context

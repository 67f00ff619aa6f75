"""Load a certificate and a private key from bytes into an SSL context of CPython."""

import binascii
import os
import ssl
import tempfile
from typing import IO

from device.errors import LinkError


def load_identity(context: ssl.SSLContext, cert_der: bytes, key_der: bytes) -> None:
    """Load a certificate and its private key (SEC1 or PKCS#8 DER) into `context`. Raises LinkError.

    ssl reads keys from files only, so they are written to a file in memory, never to a disk. If the system has no such
    files, a private temporary file is used and removed on return.
    """
    kind = "EC PRIVATE KEY" if _is_sec1(key_der) else "PRIVATE KEY"
    with _private_file() as file:
        file.write(_pem("CERTIFICATE", cert_der) + _pem(kind, key_der))
        file.flush()
        try:
            context.load_cert_chain(_path(file))
        except (ssl.SSLError, ValueError):
            raise LinkError(reason="certificate and key do not load") from None


def _private_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("identity"), "wb")
    return tempfile.NamedTemporaryFile()  # mode 0600


def _path(file: IO[bytes]) -> str:
    return f"/proc/self/fd/{file.fileno()}" if hasattr(os, "memfd_create") else file.name


def _is_sec1(key_der: bytes) -> bool:
    """Return whether a key is SEC1: RFC 5915 begins with version 1, PKCS#8 (RFC 5958) with version 0."""
    head = 2 if len(key_der) > 1 and key_der[1] < 0x80 else 2 + (key_der[1] & 0x7F if len(key_der) > 1 else 0)
    return key_der[head : head + 3] == b"\x02\x01\x01"


def _pem(label: str, der: bytes) -> bytes:
    body = b"".join(binascii.b2a_base64(der[start : start + 48]) for start in range(0, len(der), 48))
    return f"-----BEGIN {label}-----\n".encode() + body + f"-----END {label}-----\n".encode()

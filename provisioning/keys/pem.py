"""Private keys as PEM: written with mode 0600, read with a passphrase if they are encrypted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from provisioning.file_system import PRIVATE, replace_file
from provisioning.keys.secret_input import KEY_VARIABLE, ask

MARKER: Final = "DEVELOPMENT-KEYS"  # the file that marks a folder of development keys


def write_private(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that it never exists with a mode other than 0600.

    On return the file is on disk: a key whose public half is used at once does not vanish with a power cut. A crash
    leaves the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, data, mode=PRIVATE)


def read_private(path: Path) -> bytes:
    """Return the bytes of a private key's file. Raises OSError, ValueError for a file that others can read or write.

    The keys of a development folder are public by intent and may have any mode. A credential of systemd has mode 0440
    in a folder that only the service can enter (systemd.exec(5), LoadCredential).
    """
    forbidden = 0o037 if _is_credential(path) else 0o077
    if path.stat().st_mode & forbidden and not (path.parent / MARKER).exists():
        raise ValueError(
            f"{path.name} can be read or written by others; set its mode to 0600: chmod 600 {path.name}"
        )
    return path.read_bytes()


def _is_credential(path: Path) -> bool:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder) and path.parent == Path(str(folder))


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8 PEM, not encrypted: for files of mode 0600 only."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_private_pem(data: bytes) -> ec.EllipticCurvePrivateKey:
    """Return a P-256 private key. Raises ValueError for any other kind of key.

    Asks for the passphrase of an encrypted one (`secret_input.KEY_VARIABLE`): SecretMissingError if there is neither
    variable nor terminal, ValueError for a wrong passphrase.
    """
    key = load_any_pem(data)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a P-256 private key")
    return key


def load_any_pem(data: bytes) -> PrivateKeyTypes:
    """Return a private key of any kind, as load_private_pem opens it."""
    password = ask(KEY_VARIABLE, "passphrase of the key").encode() if b"ENCRYPTED" in data else None
    try:
        return serialization.load_pem_private_key(data, password)
    except (TypeError, ValueError):
        reason = (
            "not a private key in PEM"
            if password is None
            else "the key does not open: wrong passphrase, or the file is damaged"
        )
        raise ValueError(reason) from None

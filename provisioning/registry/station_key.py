"""The key with which a station signs its production records: a file (encrypted where a password is given) or a token.

A password comes from the environment variable FIRSTBOOT_STATION_KEY_PASSWORD, never from a command line.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.registry.database import create_private
from provisioning.registry.errors import RegistryError
from provisioning.signing.file_signer import FileSigner

PASSWORD_VARIABLE: Final = "FIRSTBOOT_STATION_KEY_PASSWORD"  # noqa: S105 - the name of a variable


def password_from_environment() -> bytes | None:
    """The password of the station key, None where the variable is unset or empty."""
    return os.environ.get(PASSWORD_VARIABLE, "").encode() or None


def open_station_key(path: Path, password: bytes | None = None) -> FileSigner:
    """The signer of the key at `path`, drawn where there is none. Raises RegistryError.

    With a password a new file is encrypted; an encrypted file without a password, or with a wrong one, is refused.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        create_private(path, _pem(key, password))
    if path.stat().st_mode & 0o077:
        raise RegistryError(f"{path.name} can be read by others; set its mode to 0600")
    try:
        found = serialization.load_pem_private_key(path.read_bytes(), password)
    except TypeError:
        state = "is not encrypted, but a password is given" if password else "is encrypted"
        raise RegistryError(f"{path.name} {state} ({PASSWORD_VARIABLE})") from None
    except ValueError:
        raise RegistryError(f"{path.name} does not open: damaged, or another password") from None
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise RegistryError(f"{path.name} holds no P-256 key")
    return FileSigner(found)


def _pem(key: ec.EllipticCurvePrivateKey, password: bytes | None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

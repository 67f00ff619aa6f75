"""The key with which a station signs its production records: a file (encrypted if a password is given) or a token.

`NAME.station.pem` is the key file; `NAME.station.uri` in its place names a P-256 key in a token. A password comes
from the environment variable FIRSTBOOT_STATION_KEY_PASSWORD (or the file that ..._FILE names), a PIN as
provisioning/keys/pkcs11_signer.py describes; neither ever comes from a command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from device.codec import cose
from provisioning.file_system import is_there
from provisioning.keys.file_signer import FileSigner
from provisioning.keys.secret_input import SecretMissingError, from_environment
from provisioning.keys.signer import Signer
from provisioning.keys.signers import open_signer
from provisioning.registry.errors import RegistryError
from provisioning.registry.fingerprint_key import create_private
from provisioning.registry.location import Location

PASSWORD_VARIABLE: Final = "FIRSTBOOT_STATION_KEY_PASSWORD"  # noqa: S105 - the name of a variable


def password_from_environment() -> bytes | None:
    """Return the password of the station key; None if none is set. Raises RegistryError."""
    try:
        found = from_environment(PASSWORD_VARIABLE)
    except SecretMissingError as error:
        raise RegistryError(str(error)) from None
    return None if found is None else found.encode()


def station_key_path(location: Location) -> Path:
    """Return the path of the station's key file, next to the registry's fingerprint key."""
    return location.folder / f"{location.key_path.name.removesuffix('.key')}.station.pem"


def open_station_key(path: Path, password: bytes | None = None) -> Signer:
    """Return the signer of the key at `path`. Generate the key if the file does not exist. Raises RegistryError.

    With a password a new file is encrypted. An encrypted file is refused without a password or with a wrong one.
    """
    uri = path.with_suffix(".uri")
    if is_there(uri):
        return open_held_key(uri.read_text(encoding="utf-8").strip())
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


def open_held_key(text: str) -> Signer:
    """Return the signer that a URI names, for production records. Raises RegistryError."""
    try:
        signer = open_signer(text)
    except (ValueError, OSError) as error:
        raise RegistryError(f"the station's key does not open: {error}") from None
    if signer.algorithm != cose.ALG_ESP256:
        raise RegistryError("production records are signed with a P-256 key")
    return signer


def hold_station_key(path: Path, uri: str) -> Signer:
    """Use the key that `uri` names from now on, in place of a file at `path`, after a test signature.

    Raises RegistryError if a key exists already: a chain of records has one key, permanently.
    """
    uri_path = path.with_suffix(".uri")
    for known in (path, uri_path):
        if known.exists():
            raise RegistryError(
                f"{known.name} signs here already: use a key in a token only for a new registry or branch"
            )
    signer = open_held_key(uri)
    try:
        signer.sign(b"firstboot station key\0")
    except OSError as error:
        raise RegistryError(f"the station's key does not sign: {error}") from None
    create_private(uri_path, uri.encode() + b"\n")
    return signer


def _pem(key: ec.EllipticCurvePrivateKey, password: bytes | None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

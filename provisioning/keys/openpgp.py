"""The maker's OpenPGP key (RFC 9580): it signs CSAF documents, and nothing that a unit trusts (ADR 38).

Rules:
1. Before the first signature the key is complete: one key, version 4, with a signing part whose private half is in the
   file, not revoked. It stays valid for at least 30 days more (CSAF 2.0, section 7.1.19).
2. The private key's file has the modes of every private key (`pem.read_private`). The passphrase comes from
   `secret_input`, never from a command line.
3. The library is optional. Only a command that gets a key needs it.
4. An error has our words: those of the library contain addresses inside this machine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioning.keys.pem import read_private
from provisioning.keys.secret_input import ask

if TYPE_CHECKING:
    from pysequoia import PySigner

VARIABLE: Final = "FIRSTBOOT_OPENPGP_PASSPHRASE"
LEAST_VALID_S: Final = 30 * 86400
LARGEST_FILE: Final = 256 * 1024
_VERSION: Final = 4  # RFC 9580 also has 6, which GnuPG 2.2 and many programs cannot read
_FINGERPRINT_DIGITS: Final = 40  # of version 4
_PROBE: Final = b"firstboot"


class OpenPgpKeyError(ValueError):
    """The key cannot be used: the text says why, and contains nothing of the key."""


class OpenPgpMissingError(Exception):
    """The library for OpenPGP is not installed."""


@dataclass(frozen=True)
class PublicKey:
    """A public key. `valid_until_s`: unix seconds of the day on which it expires, None: never."""

    fingerprint: str  # 40 upper-case hex digits
    armored: bytes
    valid_until_s: int | None
    is_revoked: bool

    def is_valid_for(self, now_s: int, seconds: int = LEAST_VALID_S) -> bool:
        """Return whether the key is valid now and for `seconds` more."""
        return not self.is_revoked and (self.valid_until_s is None or self.valid_until_s >= now_s + seconds)


class OpenPgpSigner:
    """Signs with the private key of one file. `repr` shows only the fingerprint."""

    def __init__(self, signer: PySigner, public: PublicKey) -> None:
        self._signer = signer
        self.public = public

    def __repr__(self) -> str:
        return f"OpenPgpSigner({self.public.fingerprint})"

    def sign(self, data: bytes) -> bytes:
        """Return a detached signature of `data` in ASCII armour, made now."""
        return _sign(self._signer, data)


def load_signer(path: Path, now_s: int) -> OpenPgpSigner:
    """Return the signer of a private key (rule 1); asks for the passphrase of an encrypted one.

    Raises OSError, OpenPgpMissingError, OpenPgpKeyError; ValueError for a file that others can read.
    """
    library, name = _library(), path.name
    data = _bounded(read_private(path), name)
    kinds = _kinds(data, name)
    if not any("Secret" in kind for kind in kinds):
        raise OpenPgpKeyError(f"{name} has no private key: export one with `gpg --export-secret-keys`")
    try:
        key = library.Tsk.from_bytes(data)
    except Exception:
        raise _damaged(name) from None
    public = _public(key.extract_certificate(), name)
    _require_valid(public, now_s, name)
    signer = _opened(key, name)
    signing = _signing_part(_sign(signer, _PROBE), public)
    if signing is None:
        raise OpenPgpKeyError(f"the signatures of {name} cannot be verified: is its algorithm too weak?")
    until_s = _part_until_s(data, signing)
    if until_s is not None:
        limit = until_s if public.valid_until_s is None else min(until_s, public.valid_until_s)
        public = PublicKey(public.fingerprint, public.armored, limit, public.is_revoked)
        _require_valid(public, now_s, name)
    return OpenPgpSigner(signer, public)


def read_public(data: bytes, name: str) -> PublicKey:
    """Return the public key that a file has; `name` is for messages. Raises OpenPgpMissingError, OpenPgpKeyError."""
    library = _library()
    if any("Secret" in kind for kind in _kinds(_bounded(data, name), name)):
        raise OpenPgpKeyError(f"{name} has a private key: a public one is needed (`gpg --armor --export`)")
    try:
        certificate = library.Cert.from_bytes(data)
    except Exception:
        raise _damaged(name) from None
    return _public(certificate, name)


def signed_by(data: bytes, signature: bytes, keys: Sequence[PublicKey]) -> PublicKey | None:
    """Return the key among `keys` that made a detached signature of `data`, None if none of them made a valid one."""
    library = _library()
    certificates = [library.Cert.from_bytes(key.armored) for key in keys]
    try:
        found = library.verify(
            bytes=data, store=lambda _: certificates, signature=library.Sig.from_bytes(signature)
        )
    except Exception:  # the library has no narrower class
        return None
    made_by = {one.certificate.upper() for one in found.valid_sigs}
    return next((key for key in keys if key.fingerprint in made_by), None)


# The parts of a key -----------------------------------------------------------------------------------------------


def _library() -> Any:
    try:
        import pysequoia
    except ImportError:
        raise OpenPgpMissingError(
            "OpenPGP needs pysequoia, which is not installed: pip install 'firstboot[openpgp]', or in a checkout"
            " pip install --require-hashes -r requirements/openpgp.txt"
        ) from None
    return pysequoia


def _damaged(name: str) -> OpenPgpKeyError:
    return OpenPgpKeyError(f"{name} is not an OpenPGP key, or it is damaged")


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > LARGEST_FILE:
        raise OpenPgpKeyError(f"{name} is larger than {LARGEST_FILE // 1024} KiB: export one key only")
    return data


def _kinds(data: bytes, name: str) -> list[str]:
    """Return the kinds of the packets in a file. Raises OpenPgpKeyError if it does not have exactly one key."""
    try:
        kinds = [
            str(packet.tag).rpartition(".")[2] for packet in _library().packet.PacketPile.from_bytes(data)
        ]
    except Exception:
        raise _damaged(name) from None
    found = sum(kind in ("PublicKey", "SecretKey") for kind in kinds)
    if found > 1:
        raise OpenPgpKeyError(f"{name} has {found} keys: export one only")
    if not found:
        raise _damaged(name)
    return kinds


def _public(certificate: Any, name: str) -> PublicKey:
    fingerprint = certificate.fingerprint.upper()
    if len(fingerprint) != _FINGERPRINT_DIGITS:
        raise OpenPgpKeyError(
            f"{name} is not a key of version {_VERSION}, the only one that programs for CSAF read everywhere"
        )
    armored = "".join(
        f"{line}\n" for line in str(certificate).splitlines() if not line.startswith("Comment:")
    )
    return PublicKey(fingerprint, armored.encode(), _seconds(certificate.expiration), certificate.is_revoked)


def _seconds(moment: dt.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _require_valid(key: PublicKey, now_s: int, name: str) -> None:
    if key.is_revoked:
        raise OpenPgpKeyError(f"{name} is revoked")
    if key.valid_until_s is None or key.is_valid_for(now_s):
        return
    day = dt.datetime.fromtimestamp(key.valid_until_s, dt.UTC).date().isoformat()
    if not key.is_valid_for(now_s, 0):
        raise OpenPgpKeyError(f"{name} expired on {day}")
    raise OpenPgpKeyError(
        f"{name} expires on {day}, and signatures must stay valid for {LEAST_VALID_S // 86400} days: move its end,"
        " or make a new key"
    )


def _opened(key: Any, name: str) -> PySigner:
    """Return the signer of a key; asks for a passphrase if it has one. Raises OpenPgpKeyError, SecretMissingError."""
    try:
        signer: PySigner = key.signer()
        return signer
    except Exception as error:
        if "is encrypted" not in str(error).partition("\n")[0]:
            raise OpenPgpKeyError(f"{name} has no key for signatures that is valid now") from None
    passphrase = ask(VARIABLE, "passphrase of the OpenPGP key")
    try:
        signer = key.signer(passphrase)
        return signer
    except Exception:
        raise OpenPgpKeyError(f"the passphrase does not open {name}") from None


def _sign(signer: PySigner, data: bytes) -> bytes:
    library = _library()
    signature: bytes = library.sign(signer, data, mode=library.SignatureMode.DETACHED)
    return signature


def _signing_part(signature: bytes, public: PublicKey) -> str | None:
    """Return the fingerprint of the part of the key that made a signature of `_PROBE`; None: it is not valid."""
    if signed_by(_PROBE, signature, [public]) is None:
        return None
    return str(_library().Sig.from_bytes(signature).issuer_fingerprint)


def _part_until_s(data: bytes, fingerprint: str) -> int | None:
    """Return when a part of a key expires, from the newest signature that binds it; None: never."""
    created: dt.datetime | None = None
    bound: tuple[dt.datetime, dt.timedelta | None] | None = None
    is_part = False
    for packet in _library().packet.PacketPile.from_bytes(data):
        kind = str(packet.tag).rpartition(".")[2]
        if kind.endswith(("Key", "Subkey")):
            is_part = packet.fingerprint == fingerprint
            created = packet.key_created if is_part else created
        elif is_part and kind == "Signature" and str(packet.signature_type).endswith("SubkeyBinding"):
            made = packet.signature_created
            if made is not None and (bound is None or made >= bound[0]):
                bound = (made, packet.key_validity_period)
    if created is None or bound is None or bound[1] is None:
        return None
    return _seconds(created + bound[1])

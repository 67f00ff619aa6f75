"""A maker's signing keys in one folder: image keys, role keys and authorities.

Rules:
1. Development keys are generated for each checkout and carry a marker file; commands that use them print a warning.
2. The maker generates the keys of a product for sale, keeps them off line, and loads them from a folder without the
   marker.
3. A folder holds what its machine needs: `ROLE.pub` for a key that is on another machine, `NAME.uri` for a key in a
   token (a line like `pkcs11:token=maker;object=device-ca`). A .pem may be encrypted.
4. A key id is the first eight bytes of the SHA-256 of the public key: stable, without any other meaning.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.file_system import create_file, is_there, naming
from provisioning.keys.key_id import AnchorKey, key_id, public_point
from provisioning.keys.pem import MARKER, load_private_pem, private_pem, read_private, write_private
from provisioning.keys.pki import CertificateAuthority

if TYPE_CHECKING:
    from provisioning.keys.signer import Signer

ROLES: Final = {"root": 1, "author": 2, "support": 3, "tracker": 4, "signatory": 5}
SIGNING_ROLES: Final = ("author", "support", "tracker", "signatory")
IMAGE_KEYS: Final = 3
MARKER_TEXT: Final = (
    "Generated for development on this machine. Units provisioned with these keys are NOT FOR SALE.\n"
)


class KeyRingError(ValueError):
    """The key folder is missing, incomplete or holds another kind of key."""


def _public_half(path: Path) -> Path:
    """Return the file of a key's public half. It replaces the key on machines that do not sign with it."""
    return path.with_suffix(".pub")


def _public_of(path: Path) -> bytes:
    """Return the public half: from the .pub file if there is one, else from the key."""
    half = _public_half(path)
    if path.is_file() and not half.is_file():
        return public_point(load_private_pem(read_private(path)).public_key())
    key = serialization.load_pem_public_key(half.read_bytes())
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyRingError(f"{half.name} is not a P-256 public key")
    return public_point(key)


def _ensure_plan(directory: Path) -> None:
    """Generate roots and the plan of the key set; the maker then takes a product's roots off line."""
    from provisioning.keys.keyset import ensure_plan

    ensure_plan(directory)


class KeyRing:
    """The keys of one folder, loaded on use. Raises KeyRingError if the folder is not complete."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        if not is_there(directory):
            raise KeyRingError(f"there is no key folder {directory}: check the name")
        missing = [
            path.name for path in self._expected() if not (path.is_file() or _public_half(path).is_file())
        ]
        if missing:
            raise KeyRingError(f"key folder {directory} lacks {', '.join(missing)}")

    @classmethod
    def generate_development(cls, directory: Path) -> KeyRing:
        """Return the development keys of `directory`. Generates them first if the folder does not exist.

        The folder appears complete or not at all. Raises KeyRingError if it holds other keys.
        """
        if directory.exists():
            ring = cls(directory)
            if not ring.is_development:
                raise KeyRingError(f"{directory} holds keys that are not for development")
            _ensure_plan(directory)
            return ring
        return cls.generate(directory, is_development=True)

    @classmethod
    def generate(cls, directory: Path, *, is_development: bool) -> KeyRing:
        """Generate every key into the new folder `directory`, which appears complete or not at all. Raises OSError."""
        directory.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".keys-", dir=directory.parent))
        try:
            with naming(directory, draft=draft):
                cls._generate_into(draft, is_development)
                _ensure_plan(draft)
                os.replace(draft, directory)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not (
                is_development and directory.exists()
            ):  # another process may have generated them meanwhile
                raise
        return cls(directory)

    @staticmethod
    def _generate_into(directory: Path, is_development: bool) -> None:
        for stem in [f"image-{n}" for n in range(IMAGE_KEYS)] + list(SIGNING_ROLES):
            write_private(directory / f"{stem}.pem", private_pem(ec.generate_private_key(ec.SECP256R1())))
        kind = "Firstboot development" if is_development else "Maker's"
        CertificateAuthority.create(f"{kind} device CA").save(directory, "device-ca")
        CertificateAuthority.create(f"{kind} server CA").save(directory, "server-ca")
        if is_development:
            create_file(directory / MARKER, MARKER_TEXT.encode())

    def _expected(self) -> list[Path]:
        names = [f"{role}.pem" for role in SIGNING_ROLES] + ["device-ca.crt", "server-ca.crt"]
        return [self.directory / name for name in names]

    @property
    def is_development(self) -> bool:
        return (self.directory / MARKER).is_file()

    @property
    def image_key_paths(self) -> list[Path]:
        """The three boot-image keys; the first signs unless another is named."""
        return [self.directory / f"image-{n}.pem" for n in range(IMAGE_KEYS)]

    @property
    def device_ca(self) -> CertificateAuthority:
        """Certifies devices. Raises KeyRingError if its key is not in the folder."""
        return self._authority("device-ca")

    @property
    def server_ca(self) -> CertificateAuthority:
        """Certifies servers and the maker's own clients. Raises KeyRingError if its key is not in the folder."""
        return self._authority("server-ca")

    @property
    def server_ca_der(self) -> bytes:
        """The certificate that devices trust. It is all that a station needs of this authority."""
        pem = (self.directory / "server-ca.crt").read_bytes()
        return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)

    def _authority(self, stem: str) -> CertificateAuthority:
        key = self.directory / f"{stem}.key"
        if not key.is_file() and not key.with_suffix(".uri").is_file():
            raise KeyRingError(
                f"key folder {self.directory} lacks {stem}.key, or {stem}.uri for a key in a token"
            )
        return CertificateAuthority.load(self.directory / f"{stem}.crt", key)

    def signer_path(self, role: str) -> Path:
        if role not in SIGNING_ROLES:
            raise KeyRingError(f"no signing role {role!r}; the roles are {', '.join(SIGNING_ROLES)}")
        return self.directory / f"{role}.pem"

    def signer(self, role: str) -> Signer:
        """Return the signer of a role: "author", "support", "tracker" or "signatory".

        ROLE.uri names a key in a token, ROLE.pem is a key file. Raises KeyRingError if the folder holds only the
        public half or the public half of another key, ValueError, OSError.
        """
        from provisioning.keys.signers import open_signer

        path = self.signer_path(role)
        uri = path.with_suffix(".uri")
        if is_there(uri):
            signer = open_signer(uri.read_text(encoding="utf-8").strip())
        elif path.is_file():
            signer = open_signer(f"file:{path}")
        else:
            raise KeyRingError(
                f"{self.directory} holds only the public half of {role}: sign on the machine that has the key"
            )
        if _public_half(path).is_file() and _public_of(path) != signer.public:
            raise KeyRingError(f"{role}.pub is not the public half of the key that signs as {role}")
        return signer

    def anchor_keys(self) -> list[AnchorKey]:
        """Return the trust anchors that the factory installs: each role key's public half, bound to ESP256 (-9)."""
        found = []
        for role in SIGNING_ROLES:
            public = _public_of(self.signer_path(role))
            found.append(AnchorKey(key_id(public), -9, ROLES[role], public))
        return found

"""OSCORE secrets sealed to the CoAP server. The station that generates or stores a secret cannot read it back.

HPKE base mode (RFC 9180), DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM. `info` names purpose and device, so a
sealed secret opens for its own unit only. Content: master secret (16 bytes) || master salt (8 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from provisioning.file_system import PRIVATE, NewFile, replace_files
from provisioning.keys.key_id import key_id, public_point
from provisioning.keys.pem import load_private_pem, private_pem, read_private
from provisioning.keys.public_keys import public_pem
from provisioning.registry.errors import RegistryError

SECRET_BYTES: Final = 16
SALT_BYTES: Final = 8
_DOMAIN: Final = b"firstboot oscore secret v1\0"
_SUITE: Final = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_128_GCM)


@dataclass(frozen=True)
class ServerKey:
    """The CoAP server's public key, to which stations seal."""

    public: ec.EllipticCurvePublicKey

    @property
    def key_id(self) -> bytes:
        """Return the first 8 bytes of the SHA-256 of the point."""
        return key_id(public_point(self.public))

    @classmethod
    def load(cls, path: Path) -> ServerKey:
        """Load the key from a PEM file (SubjectPublicKeyInfo). Raises RegistryError for another kind, OSError."""
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except ValueError:
            raise RegistryError(f"{path.name} holds no public key") from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise RegistryError(f"{path.name} holds no P-256 key")
        return cls(key)

    def seal(self, device_id: bytes, secret: bytes, salt: bytes) -> bytes:
        """Return the sealed secret (105 bytes), which only the server can open. Raises ValueError for wrong lengths."""
        if len(secret) != SECRET_BYTES or len(salt) != SALT_BYTES:
            raise ValueError("a secret has 16 bytes, a salt has 8")
        return _SUITE.encrypt(secret + salt, self.public, _DOMAIN + device_id)


@dataclass(frozen=True)
class ServerPrivateKey:
    """The CoAP server's private key, which stays on the server."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> ServerPrivateKey:
        """Generate a key pair in memory, for a server that keeps nothing when its process ends."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def create(cls, private_path: Path, public_path: Path) -> ServerPrivateKey:
        """Generate a key pair into two new files (private: mode 0600). Raises RegistryError if one exists."""
        if private_path.exists() or public_path.exists():
            raise RegistryError(f"{private_path.name} or {public_path.name} exists; it is not overwritten")
        generated = cls.generate()
        public = public_pem(public_point(generated.private.public_key()))
        private = NewFile(private_path, private_pem(generated.private), PRIVATE)
        private_path.parent.mkdir(parents=True, exist_ok=True)
        replace_files([NewFile(public_path, public), private])
        return generated

    @classmethod
    def load(cls, path: Path) -> ServerPrivateKey:
        """Load the key from a PEM file. Raises ValueError for another kind of key, OSError."""
        return cls(load_private_pem(read_private(path)))

    @property
    def public(self) -> ServerKey:
        return ServerKey(self.private.public_key())

    def open(self, device_id: bytes, sealed: bytes) -> tuple[bytes, bytes]:
        """Return (secret, salt). Raises RegistryError if it was changed, or sealed for another unit or key."""
        try:
            content = _SUITE.decrypt(sealed, self.private, _DOMAIN + device_id)
        except (InvalidTag, ValueError):
            raise RegistryError(
                f"the sealed secret of {device_id.hex()} does not open with this key"
            ) from None
        if len(content) != SECRET_BYTES + SALT_BYTES:
            raise RegistryError(f"the sealed secret of {device_id.hex()} has a wrong length")
        return content[:SECRET_BYTES], content[SECRET_BYTES:]

"""Signed boot images for tests of evidence and statements."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.release.image import sign_image

VERSION = "1.2.3+4"


@lru_cache
def signed(body: bytes) -> bytes:
    """Return a boot image of VERSION with this body, signed by imgtool."""
    key = ec.derive_private_key(7, ec.SECP256R1())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "body.bin").write_bytes(body)
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        out = folder / "signed.img"
        sign_image(folder / "body.bin", folder / "key.pem", version=VERSION, security_counter=1, out=out)
        return out.read_bytes()

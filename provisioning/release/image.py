"""Boot images in MCUboot's format: sign an image with imgtool, and read the fields of an image.

imgtool signs with P-256. This module appends an HSS/LMS signature over the same digest, in an unprotected TLV of
MCUboot's range for vendors. The key entry of the boot ROM decides whether an image needs one.

`image_info` checks the structure that the boot ROM checks (docs/design.md "Boot"), and the digest. It does not verify
signatures: the trusted keys are in the ROM.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from device.codec import cose
from device.codec.image import TLV_HSS, parse_image
from device.errors import ImageFormatError
from device.layout import IMAGE_HEADER_BYTES, IMAGE_LOAD_ADDRESS
from provisioning.file_system import read_bounded, replace_file
from provisioning.keys.signer import Signer
from provisioning.release.capacities import BUILD_MAX, IMAGE_MAX_BYTES, require_capacity
from provisioning.release.payload import ReleaseError

HSS_PUBLIC_BYTES: Final = 60

_VERSION: Final = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,5})(?:\+(\d{1,10}))?")
_IMGTOOL_TIMEOUT_S: Final = 120


class ImageSigningError(RuntimeError):
    """An image could not be signed; the text gives the reason and contains no key material."""


@dataclass(frozen=True)
class ImageInfo:
    """The fields of a signed image; sizes in bytes."""

    version: tuple[int, int, int, int]  # major, minor, revision, build
    security_counter: int
    digest: bytes  # SHA-256 over header, body and protected TLVs: the identity of the running image
    body_bytes: int
    total_bytes: int  # as it lies in the slot
    public_key: bytes  # DER SubjectPublicKeyInfo
    signature: bytes  # DER Ecdsa-Sig-Value
    hss_signature: bytes = b""  # RFC 8554, over `digest`

    @property
    def key_hash(self) -> bytes:
        """SHA-256 of the public key TLV, as the boot ROM holds it."""
        return hashlib.sha256(self.public_key).digest()

    @property
    def version_text(self) -> str:
        return "{}.{}.{}+{}".format(*self.version)


@dataclass(frozen=True)
class ImageKey:
    """An image key as the boot ROM stores it; `text` is the argument of `build_rom`."""

    key_hash: bytes
    hss_public: bytes = b""

    @property
    def text(self) -> str:
        return self.key_hash.hex() + (f":{self.hss_public.hex()}" if self.hss_public else "")


def key_hash(key_pem: Path) -> bytes:
    """Return SHA-256 (32 bytes) of the DER SubjectPublicKeyInfo of a P-256 key, as the boot ROM stores it.

    `key_pem` is a private or a public key in PEM. Raises ImageSigningError for anything else.
    """
    public = _load_public(key_pem)
    return hashlib.sha256(
        public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).digest()


def sign_image(
    raw: Path, key_pem: Path, *, version: str, security_counter: int, out: Path, hss: Signer | None = None
) -> Path:
    """Sign `raw` (body without header, linked for IMAGE_LOAD_ADDRESS + header) and return `out`.

    `version` is "M.m.r" or "M.m.r+b". imgtool's ECDSA is randomised: two signed files differ, but their digests are
    equal. With `hss`, an HSS/LMS signer, a second signature is appended. The result is parsed and compared with the
    arguments before `out` appears. Raises ImageSigningError and the errors of the signer.
    """
    wanted = parse_version(version)
    try:
        require_capacity("security counter", security_counter)
        require_capacity("build number", wanted[3])
    except ReleaseError as error:
        raise ImageSigningError(str(error)) from None
    _load_public(key_pem)
    _check_size(raw)
    draft = out.with_name(out.name + ".part")
    try:
        _run_imgtool(raw, key_pem, version, security_counter, draft)
        if hss is not None:
            replace_file(draft, append_hss(draft.read_bytes(), hss))
        info = image_info(draft.read_bytes())
        if (info.version, info.security_counter, info.key_hash) != (
            wanted,
            security_counter,
            key_hash(key_pem),
        ):
            raise ImageSigningError("imgtool wrote another version, security counter or key than requested.")
        draft.replace(out)
    except ImageFormatError as error:
        raise ImageSigningError(f"imgtool wrote an image that the boot ROM would refuse: {error}") from None
    finally:
        draft.unlink(missing_ok=True)
    return out


def _check_size(raw: Path) -> None:
    """Raise ImageSigningError for a body that cannot be read, or that fits no slot: imgtool would read all of it."""
    try:
        body = read_bounded(raw, IMAGE_MAX_BYTES)
    except OSError as error:
        raise ImageSigningError(f"{raw}: {error.strerror}") from None
    if body is None:
        raise ImageSigningError(f"{raw} is larger than a slot, which has {IMAGE_MAX_BYTES} bytes.")


def append_hss(image: bytes, signer: Signer) -> bytes:
    """`image` with an HSS/LMS signature over its digest after its other TLVs. Raises ImageSigningError."""
    if signer.algorithm != cose.ALG_HSS_LMS:
        raise ImageSigningError("The second signature of an image must be HSS/LMS.")
    info = image_info(image)
    if info.hss_signature:
        raise ImageSigningError("The image already has an HSS/LMS signature.")
    parsed = parse_image(lambda offset, length: image[offset : offset + length], len(image))
    signature = signer.sign(info.digest)
    length_at = int(parsed.hashed_bytes) + 2  # of the unprotected area: after its magic number
    grown = len(image) - int(parsed.hashed_bytes) + 4 + len(signature)
    return (
        image[:length_at]
        + grown.to_bytes(2, "little")
        + image[length_at + 2 :]
        + TLV_HSS.to_bytes(2, "little")
        + len(signature).to_bytes(2, "little")
        + signature
    )


def image_key(key_pem: Path, hss_public: bytes = b"") -> ImageKey:
    """Return the boot ROM's entry for an image key; with a raw HSS key, images need both signatures."""
    if len(hss_public) not in (0, HSS_PUBLIC_BYTES):
        raise ImageSigningError(f"A raw HSS public key has {HSS_PUBLIC_BYTES} bytes.")
    return ImageKey(key_hash(key_pem), hss_public)


def image_info(data: bytes) -> ImageInfo:
    """Parse a signed image as strictly as the boot ROM: known TLVs, each once, nothing after them; check the digest.

    Raises ImageFormatError(reason).
    """
    if len(data) > IMAGE_MAX_BYTES:
        raise ImageFormatError(reason="larger than a slot")
    parsed = parse_image(lambda offset, length: data[offset : offset + length], len(data))
    if parsed.total_bytes != len(data):
        raise ImageFormatError(reason="bytes after the image")
    if parsed.digest != hashlib.sha256(data[: parsed.hashed_bytes]).digest():
        raise ImageFormatError(reason="digest TLV does not match the content")
    return ImageInfo(
        version=parsed.version,
        security_counter=parsed.security_counter,
        digest=parsed.digest,
        body_bytes=parsed.body_bytes,
        total_bytes=parsed.total_bytes,
        public_key=parsed.public_key,
        signature=parsed.signature,
        hss_signature=parsed.hss_signature,
    )


def parse_version(version: str) -> tuple[int, int, int, int]:
    """Return major, minor, revision, build of "M.m.r" or "M.m.r+b". Raises ImageSigningError."""
    match = _VERSION.fullmatch(version)
    numbers = tuple(int(part or 0) for part in match.groups()) if match else ()
    if len(numbers) != 4 or any(
        number > limit for number, limit in zip(numbers[:3], (255, 255, 65535), strict=True)
    ):
        raise ImageSigningError(
            f"version {version!r} cannot be used: write M.m.r or M.m.r+b, at most 255.255.65535+{BUILD_MAX}"
        )
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _load_public(key_pem: Path) -> ec.EllipticCurvePublicKey:
    try:
        data = key_pem.read_bytes()
        if b"PRIVATE KEY" in data:
            key: object = serialization.load_pem_private_key(data, password=None)
            public: object = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else None
        else:
            public = serialization.load_pem_public_key(data)
    except (OSError, ValueError, TypeError) as error:
        raise ImageSigningError(
            f"{key_pem} does not contain a key that can be read ({type(error).__name__})."
        ) from None
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise ImageSigningError(f"{key_pem} is not a P-256 key.")
    return public


def _run_imgtool(raw: Path, key_pem: Path, version: str, security_counter: int, out: Path) -> None:
    """The command line contains only paths and public numbers; the key stays in its file."""
    command = [
        *(sys.executable, "-P", "-m", "imgtool.main"),  # -P: nothing is imported from the current folder
        "sign",
        *("--key", str(key_pem)),
        *("--public-key-format", "full"),
        *("--header-size", hex(IMAGE_HEADER_BYTES)),
        "--pad-header",
        *("--slot-size", hex(IMAGE_MAX_BYTES)),
        *("--load-addr", hex(IMAGE_LOAD_ADDRESS)),
        *("--version", version),
        *("--security-counter", str(security_counter)),
        str(raw),
        str(out),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_IMGTOOL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageSigningError(f"imgtool could not run: {type(error).__name__}") from None
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ImageSigningError(
            "imgtool refused: " + (lines[-1] if lines else f"exit code {done.returncode}")
        )

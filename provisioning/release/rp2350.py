"""Images, partition table and OTP plan of an RP2350, signed as its boot ROM reads them.

Picotool's `seal --sign` and `partition create` write the same bytes, except for the signature, which is random.
Debian's picotool is built without a library for signatures, so this module does it (ADR 33).

Rules:
1. An image keeps its own blocks. A last block is added and defines it: type, version, rollback version, entry
   point, load map over every byte before, hash, signature (datasheet, "Metadata block details").
2. The signature is ECDSA over secp256k1 and SHA-256. OTP holds the SHA-256 of a key's 64 bytes (x, y).
3. What is written is read again by the device's own reader (`rp2350_image.py`), and the signature is verified.
4. An update starts as a trial. A factory's image does not: there is no other image yet. Both have the same digest.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from device.codec.rp2350_image import Block, Rp2350Image, first_block, parse_rp2350_image
from device.errors import ImageFormatError
from provisioning.release.image import ImageSigningError, parse_version

COUNTER_ROWS: Final = (0x04E, 0x051)
COUNTER_MAX: Final = 47
MAX_KEYS: Final = 4
_FLASH_START: Final = 0x10000000
_SECTOR_BYTES: Final = 4096
_START: Final = 0xFFFFDED3
_END: Final = 0xAB123579
_EXECUTABLE: Final = 0x1021  # secure Arm code for an RP2350
_TRIAL: Final = 0x8000
_MAX_MARKS: Final = 4  # blocks of an image that is not sealed
_PERMISSIONS: Final = {"secure": 26, "nonsecure": 28, "bootloader": 30}
_FAMILIES: Final = {"absolute": 1 << 15, "data": 1 << 16, "rp2350-arm-s": 1 << 17}
_HAS_ID, _HAS_NAME, _LINK_A = 1, 1 << 12, 1 << 1
# SDK's register names: the key of the lock of page 58 is all-ones in the fields for non-secure code and boot loader.
_PAGE_58_LOCK: Final = "0xff5"
_PAGE_58_VALUE: Final = "0x3c3c3c"


@dataclass(frozen=True)
class Rp2350Key:
    """An image key; `point` is what the block contains: x and y, 32 bytes each, big endian."""

    private: ec.EllipticCurvePrivateKey

    @property
    def point(self) -> bytes:
        return public_point(self.private.public_key())

    def sign(self, digest: bytes) -> bytes:
        """Return point and signature (r, s) as the signature item has them: 128 bytes."""
        r, s = decode_dss_signature(self.private.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return self.point + r.to_bytes(32, "big") + s.to_bytes(32, "big")


def public_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return x and y, 32 bytes each, big endian."""
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)[1:]


def load_key(path: Path) -> Rp2350Key:
    """Return the private image key in a PEM file. Raises ImageSigningError: no such key, another curve."""
    key = _loaded(path, lambda data: serialization.load_pem_private_key(data, password=None))
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256K1):
        raise ImageSigningError(
            f"{path} is not a private key on secp256k1, which the RP2350's boot ROM needs."
        )
    return Rp2350Key(key)


def key_hash(path: Path) -> bytes:
    """Return the SHA-256 of a public or private key, as OTP holds it. Raises ImageSigningError."""

    def parsed(data: bytes) -> object:
        if b"PRIVATE KEY" in data:
            private = serialization.load_pem_private_key(data, password=None)
            return private.public_key() if isinstance(private, ec.EllipticCurvePrivateKey) else None
        return serialization.load_pem_public_key(data)

    key = _loaded(path, parsed)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256K1):
        raise ImageSigningError(f"{path} is not a key on secp256k1, which the RP2350's boot ROM needs.")
    return hashlib.sha256(public_point(key)).digest()


def _loaded(path: Path, parse: Any) -> object:
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise ImageSigningError(
            f"{path} does not contain a key that can be read ({type(error).__name__})."
        ) from None


def seal(raw: bytes, key: Rp2350Key, *, version: str, security_counter: int, is_trial: bool = True) -> bytes:
    """Return the signed image of a linked firmware. `version` is "M.m.0+b"; `is_trial`: rule 4.

    Raises ImageSigningError: no blocks, sealed already, a version or a counter that the format cannot express.
    """
    major, minor, revision, build = parse_version(version)
    if revision or build > 0xFFFF:
        raise ImageSigningError(
            f"version {version!r} cannot be used: this format has no revision, and build numbers up to 65535"
        )
    if not 1 <= security_counter <= COUNTER_MAX:
        raise ImageSigningError(
            f"the security counter is {security_counter}; an RP2350 takes 1 to {COUNTER_MAX}"
        )
    code = raw + bytes(-len(raw) % 4)
    first, last_link = _loop(code)
    at = len(code)
    last_block = last_link[0]
    code = code[: last_link[1]] + _u32(at - last_block) + code[last_link[1] + 4 :]
    items = [
        _u32(0x42 | 1 << 8 | (_EXECUTABLE | (_TRIAL if is_trial else 0)) << 16),
        _version_item(major, minor, build, security_counter),
        struct.pack("<III", 0x44 | 3 << 8, *reversed(struct.unpack_from("<II", code))),
    ]
    place = at + 4 + sum(map(len, items))
    items.append(struct.pack("<4I", 0x06 | 4 << 8 | 1 << 24, -place & 0xFFFFFFFF, _FLASH_START, at))
    words = 1 + sum(map(len, items)) // 4 + 2
    items.append(_u32(0x47 | 2 << 8 | 1 << 24) + _u32(words))
    covered = _u32(_START) + _u32(0x42 | 1 << 8 | _EXECUTABLE << 16) + b"".join(items[1:])
    signed = key.sign(hashlib.sha256(code + covered).digest())
    image = code + block([*items, _u32(0x09 | 33 << 8 | 1 << 24) + signed], first - at)
    _check(image, key, (major, minor, 0, build), security_counter)
    return image


def _version_item(major: int, minor: int, build: int, security_counter: int) -> bytes:
    number = major << 24 | minor << 16 | build
    rows = (security_counter, *COUNTER_ROWS, 0)
    return struct.pack("<II4H", 0x48 | 4 << 8 | len(COUNTER_ROWS) << 24, number, *rows)


def _loop(code: bytes) -> tuple[int, tuple[int, int]]:
    """Return where the first block of an image begins; and of the last one: its place, and that of its link."""

    def read(offset: int, length: int) -> bytes:
        return code[offset : offset + length]

    try:
        first = at = first_block(read, len(code))
        for _ in range(_MAX_MARKS):
            found = Block(read, at, len(code))
            if found.next == first:
                if any(kind in found.items for kind in (0x09, 0x06)):
                    raise ImageSigningError("The image is sealed already.")
                return first, (at, at + found.size - 8)
            if found.next < at + found.size or found.next % 4:
                break
            at = found.next
    except ImageFormatError as error:
        raise ImageSigningError(f"This is not a firmware for an RP2350: {error}") from None
    raise ImageSigningError("This is not a firmware for an RP2350: its blocks form no loop.")


def _check(image: bytes, key: Rp2350Key, version: tuple[int, ...], security_counter: int) -> None:
    """Read what was written (rule 3). Raises ImageSigningError."""
    try:
        found = read_image(image)
    except ImageFormatError as error:
        raise ImageSigningError(f"the sealed image would be refused: {error}") from None
    if (found.version, found.security_counter, found.rows, found.total_bytes) != (
        version,
        security_counter,
        COUNTER_ROWS,
        len(image),
    ) or found.public_key != key.point:
        raise ImageSigningError("the sealed image says something else than was asked for")


def read_image(data: bytes) -> Rp2350Image:
    """Return the facts of a sealed image, trial or factory; its signature is verified. Raises ImageFormatError."""
    info: Rp2350Image = parse_rp2350_image(lambda at, length: data[at : at + length], len(data), True)
    if info.total_bytes != len(data):
        raise ImageFormatError(reason="bytes after the image")
    r, s = (int.from_bytes(info.signature[at : at + 32], "big") for at in (0, 32))
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), b"\x04" + info.public_key)
        point.verify(encode_dss_signature(r, s), info.digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except (InvalidSignature, ValueError):
        raise ImageFormatError(reason="signature") from None
    return info


def unsealed(image: bytes) -> bytes:
    """Return the firmware that was sealed, as the build made it, from an image that `read_image` takes."""

    def read(offset: int, length: int) -> bytes:
        return image[offset : offset + length]

    first = at = before = first_block(read, len(image))
    while (found := Block(read, at, len(image))).next != first:
        before, at = at, found.next
    link = before + Block(read, before, len(image)).size - 8
    return image[:link] + _u32(first - before) + image[link + 4 : at]


# Partition table --------------------------------------------------------------------------------------------------
def partition_table(document: Mapping[str, Any], key: Rp2350Key | None = None) -> bytes:
    """Return the block for the first sector of the flash. `document` has picotool's form (partitions.json).

    A chip with secure boot takes only a signed one. Raises ValueError for a document that cannot be expressed.
    """
    partitions = document["partitions"]
    words = b"".join(_partition(one) for one in partitions)
    unpartitioned = document["unpartitioned"]
    flags = _permissions(unpartitioned["permissions"]) | _family_flags(unpartitioned["families"])
    size = 2 + len(words) // 4
    if size > 0xFF or not 1 <= len(partitions) <= 16:
        raise ValueError("the boot ROM takes 1 to 16 partitions in 255 words")
    items = [_u32(0x0A | size << 8 | len(partitions) << 24) + _u32(flags) + words]
    major, minor = document["version"]
    items.append(_u32(0x48 | 2 << 8) + _u32(major << 16 | minor))
    if key is not None:
        count = 1 + sum(map(len, items)) // 4 + 2
        items.append(_u32(0x47 | 2 << 8 | 1 << 24) + _u32(count))
        digest = hashlib.sha256(_u32(_START) + b"".join(items)).digest()
        items.append(_u32(0x09 | 33 << 8 | 1 << 24) + key.sign(digest))
    return block(items, 0)


def sectors(partition: Mapping[str, Any]) -> tuple[int, int]:
    """Return the first and the last sector of 4096 bytes. Raises ValueError for a place inside a sector."""
    start, size = (_kibibytes(partition[name]) for name in ("start", "size"))
    if start % 4 or size % 4 or size == 0:
        raise ValueError(f"partition {partition['name']!r} does not have whole sectors")
    return start // 4, (start + size) // 4 - 1


def _kibibytes(text: str) -> int:
    if not text.endswith("K"):
        raise ValueError(f"{text!r} is not a number of KiB")
    return int(text[:-1])


def _partition(one: Mapping[str, Any]) -> bytes:
    first, last = sectors(one)
    permissions = _permissions(one["permissions"])
    flags = _HAS_ID | _HAS_NAME | _family_flags(one["families"])
    if "link" in one:
        kind, other = one["link"]
        if kind != "a":
            raise ValueError(f"link {kind!r}")
        flags |= _LINK_A | other << 3
    name: bytes = one["name"].encode()
    named = bytes([len(name)]) + name
    return (
        _u32(permissions | last << 13 | first)
        + _u32(permissions | flags)
        + int(one["id"], 16).to_bytes(8, "little")
        + named
        + bytes(-len(named) % 4)
    )


def _permissions(document: Mapping[str, str]) -> int:
    found = 0
    for who, shift in _PERMISSIONS.items():
        for bit, letter in enumerate("rw"):
            if letter in document[who]:
                found |= 1 << shift + bit
    return found


def _family_flags(families: Sequence[str]) -> int:
    return sum(_FAMILIES[family] for family in families)


# OTP ----------------------------------------------------------------------------------------------------------------
def otp_plan(key_hashes: Sequence[bytes]) -> dict[str, Any]:
    """Return what the factory burns before the unit's lock, as `picotool otp load` takes it.

    The hashes of one to four image keys; the other key slots are made invalid. Then secure boot, no debug, no boot over
    USB and UART. **It cannot be taken back.** Raises ValueError for another number or length of hashes.
    """
    if not 1 <= len(key_hashes) <= MAX_KEYS or any(len(one) != 32 for one in key_hashes):
        raise ValueError("one to four key hashes of 32 bytes")
    valid = (1 << len(key_hashes)) - 1
    plan: dict[str, Any] = {f"bootkey{number}": list(one) for number, one in enumerate(key_hashes)}
    plan["boot_flags1"] = {"key_valid": valid, "key_invalid": 0xF & ~valid}
    plan[_PAGE_58_LOCK] = {"ecc": False, "value": _PAGE_58_VALUE}
    closed = ("disable_bootsel_uart_boot", "disable_bootsel_usb_msd_ifc", "disable_bootsel_usb_picoboot_ifc")
    plan["boot_flags0"] = dict.fromkeys((*closed, "disable_auto_switch_arch"), 1)
    plan["crit1"] = {"secure_boot_enable": 1, "debug_disable": 1, "glitch_detector_enable": 1}
    return plan


# Blocks -------------------------------------------------------------------------------------------------------------
def block(items: Sequence[bytes], link: int) -> bytes:
    """Return a block of items; `link` is the distance to the next block, from the start of this one."""
    body = b"".join(items)
    return _u32(_START) + body + _u32(0xFF | len(body) // 4 << 8) + _u32(link) + _u32(_END)


def _u32(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")

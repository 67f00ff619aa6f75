"""MCUboot's image format: the checks of a unit before it asks the boot ROM to start an image.

Source: MCUboot's own design document, "Image format". The boot ROM (C) repeats these checks and verifies the
signature. Here they give an early, typed refusal, and the security counter.

Rules:
1. Header magic, header size, flags (only RAM_LOAD) and load address have their one accepted value.
2. Every length is checked against `limit` before it is used; TLV areas end exactly where they say.
3. Each area holds the entries that the boot ROM accepts, each once and of its length, and no other. The limits of
   device/layout.py and the numbers below also go into the ROM: it refuses what this module refuses, and what the ROM
   would refuse is never staged.
"""

from collections import namedtuple

from device.compat import const
from device.errors import ImageFormatError
from device.layout import (
    IMAGE_BODY_MIN_BYTES,
    IMAGE_HEADER_BYTES,
    IMAGE_LOAD_ADDRESS,
    IMAGE_PUBLIC_KEY_BYTES,
    IMAGE_SIGNATURE_MAX_BYTES,
    IMAGE_SIGNATURE_MIN_BYTES,
    IMAGE_TLV_AREA_BYTES,
)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

MAGIC = 0x96F3B83D
FLAG_RAM_LOAD = 0x20
TLV_MAGIC = 0x6907
TLV_PROTECTED_MAGIC = 0x6908
TLV_PUBLIC_KEY = 0x02
TLV_SHA256 = 0x10
TLV_ECDSA = 0x22
TLV_SECURITY_COUNTER = 0x50
TLV_HSS = 0xA0  # HSS/LMS signature over the digest; from MCUboot's range for vendors (0x__A0 to 0x__FE), unprotected

_HEADER = 32  # bytes of the header that carry fields

# version: (major, minor, revision, build); hashed_bytes: header, body and protected area, what digest covers
ImageInfo = namedtuple(
    "ImageInfo",
    (
        "version",
        "security_counter",
        "digest",
        "body_bytes",
        "hashed_bytes",
        "total_bytes",
        "public_key",
        "signature",
        "hss_signature",  # empty without one
    ),
)


def _u16(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "little")


def _u32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _refuse(reason: str) -> None:
    raise ImageFormatError(reason=reason)


def _tlv_area(
    read: "Callable[[int, int], bytes]", offset: int, limit: int, magic: int, allowed: "tuple[int, ...]"
) -> "tuple[dict[int, bytes], int]":
    """Return the entries of one TLV area and the offset after it."""
    if offset + 4 > limit:
        _refuse("truncated")
    info = read(offset, 4)
    total = _u16(info, 2)
    if _u16(info, 0) != magic:
        _refuse("tlv magic")
    if total < 4 or total > IMAGE_TLV_AREA_BYTES or offset + total > limit:
        _refuse("tlv size")
    area = read(offset, total)
    entries: "dict[int, bytes]" = {}
    at = 4
    while at < total:
        if at + 4 > total:
            _refuse("tlv entry")
        kind, length = _u16(area, at), _u16(area, at + 2)
        at += 4
        if at + length > total:
            _refuse("tlv entry")
        if kind not in allowed or kind in entries:
            _refuse("tlv type")
        entries[kind] = bytes(area[at : at + length])
        at += length
    return entries, offset + total


def _check_header(header: bytes) -> None:
    if _u32(header, 0) != MAGIC:
        _refuse("magic")
    if _u32(header, 4) != IMAGE_LOAD_ADDRESS:
        _refuse("load address")
    if _u32(header, 16) != FLAG_RAM_LOAD:
        _refuse("flags")
    if _u16(header, 8) != IMAGE_HEADER_BYTES:
        _refuse("header size")


def _check_entries(protected: "dict[int, bytes]", free: "dict[int, bytes]") -> None:
    """Check that no entry is missing and that each has a length that the boot ROM accepts."""
    if len(protected.get(TLV_SECURITY_COUNTER, b"")) != 4:
        _refuse("no security counter")
    if len(free.get(TLV_SHA256, b"")) != 32:
        _refuse("no digest")
    if len(free.get(TLV_PUBLIC_KEY, b"")) != IMAGE_PUBLIC_KEY_BYTES:
        _refuse("no public key")
    signature_bytes = len(free.get(TLV_ECDSA, b""))
    if not IMAGE_SIGNATURE_MIN_BYTES <= signature_bytes <= IMAGE_SIGNATURE_MAX_BYTES:
        _refuse("no signature")
    if free.get(TLV_HSS) == b"":
        _refuse("no signature")


def parse_image(read: "Callable[[int, int], bytes]", limit: int) -> "ImageInfo":
    """Check structure and bounds of the image that `read(offset, length)` returns, at most `limit` bytes.

    Does not check digest or signature. Raises ImageFormatError(reason).
    """
    if limit < IMAGE_HEADER_BYTES:
        _refuse("truncated")
    header = read(0, _HEADER)
    _check_header(header)
    protected_bytes, body_bytes = _u16(header, 10), _u32(header, 12)
    if body_bytes < IMAGE_BODY_MIN_BYTES or body_bytes > limit - IMAGE_HEADER_BYTES:
        _refuse("body size")
    version = (header[20], header[21], _u16(header, 22), _u32(header, 24))

    end_of_body = IMAGE_HEADER_BYTES + body_bytes
    protected, end_of_protected = _tlv_area(
        read, end_of_body, limit, TLV_PROTECTED_MAGIC, (TLV_SECURITY_COUNTER,)
    )
    if end_of_protected - end_of_body != protected_bytes:
        _refuse("protected size")
    known = (TLV_PUBLIC_KEY, TLV_SHA256, TLV_ECDSA, TLV_HSS)
    free, total = _tlv_area(read, end_of_protected, limit, TLV_MAGIC, known)
    _check_entries(protected, free)
    return ImageInfo(
        version,
        _u32(protected[TLV_SECURITY_COUNTER], 0),
        free[TLV_SHA256],
        body_bytes,
        end_of_protected,
        total,
        free[TLV_PUBLIC_KEY],
        free[TLV_ECDSA],
        free.get(TLV_HSS, b""),
    )

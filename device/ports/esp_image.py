"""The length, SHA-256 and version of an ESP-IDF application image.

Format: ESP-IDF "App Image Format". Header of 24 bytes (magic 0xE9, number of segments at 1, "SHA-256 appended" at
23), segments of {address u32, length u32, data}, a checksum that ends a 16-byte line, then the digest. The first
segment begins with the application description (magic 0xABCD5432), whose version is text at 16.

It imports no hardware module, so its tests run on CPython.
"""

import hashlib
from collections import namedtuple

from device.compat import const
from device.errors import ImageFormatError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

_HEADER_BYTES = const(24)
_SEGMENT_HEADER_BYTES = const(8)
_MAGIC = const(0xE9)
_MAX_SEGMENTS = const(16)  # ESP_IMAGE_MAX_SEGMENTS
_DESCRIPTION_MAGIC = b"\x32\x54\xcd\xab"
_VERSION_OFFSET = const(16)
_VERSION_BYTES = const(32)
_READ_BYTES = const(4096)

# total_bytes counts the digest; version is (major, minor, revision, build)
EspImage = namedtuple("EspImage", ("total_bytes", "digest", "version"))


def parse_esp_image(read: "Callable[[int, int], bytes]", limit_bytes: int) -> "EspImage":
    """Return the facts of the image that `read(offset, length)` reads, after a check of its digest.

    Raises ImageFormatError; every length is checked against `limit_bytes` before it is used.
    """
    header = read(0, _HEADER_BYTES)
    if header[0] != _MAGIC:
        raise ImageFormatError(reason="magic")
    if header[23] != 1:
        raise ImageFormatError(reason="no digest")
    count = header[1]
    if not 1 <= count <= _MAX_SEGMENTS:
        raise ImageFormatError(reason="segments")
    end = _HEADER_BYTES
    for _ in range(count):
        if end + _SEGMENT_HEADER_BYTES > limit_bytes:
            raise ImageFormatError(reason="size")
        end += _SEGMENT_HEADER_BYTES + int.from_bytes(read(end, _SEGMENT_HEADER_BYTES)[4:8], "little")
        if end > limit_bytes:
            raise ImageFormatError(reason="size")
    end = (end // 16 + 1) * 16  # at least one byte of padding: the checksum
    if end + 32 > limit_bytes:
        raise ImageFormatError(reason="size")
    digest = hashlib.sha256()
    for offset in range(0, end, _READ_BYTES):
        digest.update(read(offset, min(_READ_BYTES, end - offset)))
    stored = read(end, 32)
    if digest.digest() != stored:
        raise ImageFormatError(reason="digest")
    return EspImage(end + 32, stored, _version(read))


def _version(read: "Callable[[int, int], bytes]") -> "tuple[int, int, int, int]":
    start = _HEADER_BYTES + _SEGMENT_HEADER_BYTES
    description = read(start, _VERSION_OFFSET + _VERSION_BYTES)
    if description[:4] != _DESCRIPTION_MAGIC:
        raise ImageFormatError(reason="description")
    text = description[_VERSION_OFFSET:].split(b"\x00")[0]
    numbers = text.replace(b"+", b".").split(b".")
    if len(numbers) == 3:
        numbers.append(b"0")
    if len(numbers) != 4 or not all([number.isdigit() and len(number) <= 9 for number in numbers]):
        raise ImageFormatError(reason="version")
    major, minor, revision, build = [int(number) for number in numbers]
    return major, minor, revision, build

"""ESP-IDF's application image: the checks of a unit before it asks the boot loader to start one.

Sources: ESP-IDF, "App Image Format" and "Secure Boot v2"; esptool's `elf2image` and `sign-data` write both parts.

Rules:
1. Header of 24 bytes: magic 0xE9, number of segments at 1, chip at 12 (u16), "SHA-256 appended" at 23. Then the
   segments, each {address u32, length u32, data}; a checksum that ends a line of 16 bytes; the SHA-256 of all that.
2. The first segment begins with the application description: magic 0xABCD5432, the security counter at 4
   (`secure_version`), the version as text at 16, such as `1.2.3+4`.
3. A signed image is filled with 0xFF up to the next sector. The next sector holds up to three signature blocks of 1216
   bytes, one after the other: magic 0xE7, version 2 (RSA-3072) or 3 (ECDSA), the SHA-256 of the filled image at 4,
   CRC-32 at 1196. The boot loader verifies the signature against the key digests in the chip's eFuses; here every
   block must be whole and name the digest of these bytes. A block with SHA-384 (ECDSA P-384) is refused.
4. Every length is checked against the limit before it is used.
"""

import hashlib
from collections import namedtuple

from device.codec.frame import crc32
from device.compat import const
from device.errors import ImageFormatError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable

SECTOR_BYTES = 4096

_HEADER_BYTES = const(24)
_SEGMENT_HEADER_BYTES = const(8)
_MAGIC = const(0xE9)
_MAX_SEGMENTS = const(16)  # ESP_IMAGE_MAX_SEGMENTS
_CHECKSUM_SEED = const(0xEF)
_DESCRIPTION_MAGIC = b"\x32\x54\xcd\xab"
_DESCRIPTION_BYTES = const(256)
_VERSION_OFFSET = const(16)
_VERSION_BYTES = const(32)
_READ_BYTES = const(1024)
_DIGEST_BYTES = const(32)

_BLOCK_BYTES = const(1216)
_MAX_BLOCKS = const(3)
_BLOCK_MAGIC = const(0xE7)
_BLOCK_VERSIONS = (2, 3)  # RSA-3072, ECDSA
_BLOCK_CRC_OFFSET = const(1196)

# total_bytes: with digest, and with the signature sector if there is one; version: (major, minor, revision, build)
EspImage = namedtuple("EspImage", ("total_bytes", "digest", "version", "security_counter", "chip"))


def _refuse(reason: str) -> None:
    raise ImageFormatError(reason=reason)


class _Reader:
    """Reads an image once, from its start, and keeps `digests` SHA-256 of what it read."""

    def __init__(self, read: "Callable[[int, int], bytes]", limit: int, digests: int) -> None:
        self._read = read
        self._limit = limit
        self._hashes = [hashlib.sha256() for _ in range(digests)]
        self.offset = 0

    def require(self, length: int) -> None:
        if length > self._limit - self.offset:
            _refuse("size")

    def take(self, length: int) -> bytes:
        """Return the next `length` bytes."""
        self.require(length)
        data = self._read(self.offset, length)
        for each in self._hashes:
            each.update(data)
        self.offset += length
        return data

    def checksum(self, length: int) -> int:
        """Read `length` bytes in pieces. Returns their exclusive or, a byte."""
        self.require(length)
        total = 0
        while length > 0:
            # One large number for each piece: a loop over single bytes takes a slow chip seconds.
            piece = self.take(min(_READ_BYTES, length))
            total ^= int.from_bytes(piece + bytes(_READ_BYTES - len(piece)), "little")
            length -= len(piece)
        folded = 0
        for value in total.to_bytes(_READ_BYTES, "little"):
            folded ^= value
        return folded

    def digest(self) -> bytes:
        """Return the SHA-256 so far, and end one of the hashes: MicroPython's takes no more bytes after that."""
        return self._hashes.pop().digest()


def parse_esp_image(
    read: "Callable[[int, int], bytes]", limit: int, is_signed: bool = False, chip: "int | None" = None
) -> "EspImage":
    """Return the facts of the image that `read(offset, length)` reads, at most `limit` bytes.

    Checks structure, checksum and digest, and with `is_signed` the signature blocks, but not the signature itself.
    `chip` is the only number of a chip that is accepted, None for any. Raises ImageFormatError(reason).
    """
    reader = _Reader(read, limit, 2 if is_signed else 1)
    header = reader.take(_HEADER_BYTES)
    _check_header(header, chip)
    checksum = _CHECKSUM_SEED
    for _ in range(header[1]):
        length = int.from_bytes(reader.take(_SEGMENT_HEADER_BYTES)[4:8], "little")
        if length % 4:
            _refuse("segment size")
        checksum ^= reader.checksum(length)
    padding = reader.take(16 - reader.offset % 16)  # at least the checksum
    if padding[-1] != checksum:
        _refuse("checksum")
    end = reader.offset
    digest = reader.digest()
    stored = bytes(reader.take(_DIGEST_BYTES))
    if digest != stored:
        _refuse("digest")
    total = _check_signatures(reader, read, limit) if is_signed else reader.offset
    version, security_counter = _description(read, end)
    return EspImage(total, stored, version, security_counter, int.from_bytes(header[12:14], "little"))


def _check_header(header: bytes, chip: "int | None") -> None:
    if header[0] != _MAGIC:
        _refuse("magic")
    if header[23] != 1:
        _refuse("no digest")
    if not 1 <= header[1] <= _MAX_SEGMENTS:
        _refuse("segments")
    if chip is not None and int.from_bytes(header[12:14], "little") != chip:
        _refuse("chip")


def _check_signatures(reader: "_Reader", read: "Callable[[int, int], bytes]", limit: int) -> int:
    """Check the signature sector after the image that `reader` has read. Returns the offset after it."""
    signed = (reader.offset + SECTOR_BYTES - 1) // SECTOR_BYTES * SECTOR_BYTES
    if signed + SECTOR_BYTES > limit:
        _refuse("no signature")
    while reader.offset < signed:
        filler = reader.take(min(_READ_BYTES, signed - reader.offset))
        if filler != b"\xff" * len(filler):
            _refuse("filler")
    digest = reader.digest()
    blocks = 0
    while blocks < _MAX_BLOCKS and _is_block(read(signed + blocks * _BLOCK_BYTES, _BLOCK_BYTES), digest):
        blocks += 1
    if not blocks:
        _refuse("no signature")
    return signed + SECTOR_BYTES


def _is_block(block: bytes, digest: bytes) -> bool:
    """Return whether these bytes are a signature block over `digest`; False for a blank place (0xFF)."""
    if block == b"\xff" * _BLOCK_BYTES:
        return False
    if block[0] != _BLOCK_MAGIC or block[1] not in _BLOCK_VERSIONS:
        _refuse("signature block")
    crc = int.from_bytes(block[_BLOCK_CRC_OFFSET : _BLOCK_CRC_OFFSET + 4], "little")
    if crc32(block[:_BLOCK_CRC_OFFSET]) != crc:
        _refuse("signature crc")
    if block[4:36] != digest:
        _refuse("signed digest")
    return True


def _description(read: "Callable[[int, int], bytes]", end: int) -> "tuple[tuple[int, int, int, int], int]":
    """Return version and security counter from the application description."""
    start = _HEADER_BYTES + _SEGMENT_HEADER_BYTES
    if start + _DESCRIPTION_BYTES > end:
        _refuse("description")
    found = read(start, _VERSION_OFFSET + _VERSION_BYTES)
    if found[:4] != _DESCRIPTION_MAGIC:
        _refuse("description")
    text = bytes(found[_VERSION_OFFSET:]).split(b"\x00")[0]
    numbers = text.replace(b"+", b".").split(b".")
    if len(numbers) == 3:
        numbers.append(b"0")
    if len(numbers) != 4 or not all([number.isdigit() and len(number) <= 9 for number in numbers]):
        _refuse("version")
    major, minor, revision, build = [int(number) for number in numbers]
    return (major, minor, revision, build), int.from_bytes(found[4:8], "little")

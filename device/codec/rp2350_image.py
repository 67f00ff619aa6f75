"""RP2350 images: the blocks that the chip's boot ROM reads, checked before a unit asks it to start an image.

Source: RP2350 datasheet, "Metadata block details"; picotool's `seal` writes such images.

Rules:
1. A block is the word 0xFFFFDED3, items, the item LAST with the number of their words, the distance to the next block
   (signed, from the start of this one) and the word 0xAB123579. The first block begins in the first 4 KiB; the blocks
   form a loop.
2. The last block of the loop ends the image. It is the definition of the image: a signed executable for secure Arm
   code on an RP2350, started as "try before you buy", with a version, a rollback version and its OTP rows.
3. The signed digest is SHA-256 over the ranges of the load map and the block's own words up to the hash definition,
   without the flag "try before you buy". The first range begins at 0 and all ranges follow each other up to the block:
   no byte of the image is unsigned. The boot ROM verifies the signature (secp256k1) with the key hashes in OTP.
4. Every length is checked against its limit before it is used; each item exists once.
5. The boot ROM refuses a rollback version of 24 or more for each row, so the reader does, and 0.
6. Version: the upper field is major * 256 + minor, the lower one is the build number. The format has no revision.
"""

import hashlib
from collections import namedtuple

from device.compat import const
from device.errors import ImageFormatError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable

_START = b"\xd3\xde\xff\xff"
_END = b"\x79\x35\x12\xab"
_FIRST_BLOCK_LIMIT = const(4096)
_BLOCK_BYTES = const(640)
_MAX_BLOCKS = const(4)
_READ_BYTES = const(1024)

_LAST = const(0xFF)
_IGNORED = const(0xFE)
_IMAGE_TYPE = const(0x42)
_LOAD_MAP = const(0x06)
_HASH_DEF = const(0x47)
_VERSION = const(0x48)
_SIGNATURE = const(0x09)

_TYPE_FLAGS = const(0x1021)  # executable, secure, Arm, RP2350
_TYPE_MASK = const(0x773F)
_TRY_BEFORE_BUY = const(0x8000)
_SHA256 = const(1)
_SECP256K1 = const(1)
_SIGNATURE_WORDS = const(33)
_STEPS_PER_ROW = const(24)  # bits of one OTP row, which is written three times

# digest: the one that is signed; version: (major, minor, 0, build); rows: OTP rows of the rollback version
Rp2350Image = namedtuple(
    "Rp2350Image", ("total_bytes", "digest", "version", "security_counter", "rows", "public_key", "signature")
)


def _refuse(reason: str) -> None:
    raise ImageFormatError(reason=reason)


def _word(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


class Block:
    """One block at `offset`: its items by type, each (offset in the block, bytes), and where the next one begins.

    `size` is its length in bytes, with both markers. Raises ImageFormatError.
    """

    def __init__(self, read: "Callable[[int, int], bytes]", offset: int, limit: int) -> None:
        self.offset = offset
        self.data = read(offset, min(_BLOCK_BYTES, limit - offset))
        self.items: "dict[int, tuple[int, bytes]]" = {}
        if self.data[:4] != _START:
            _refuse("block")
        at = 4
        while self._take(at):
            at += 4 * self._words(at)
        words = at // 4 - 1  # of the items, without marker and LAST
        if self._words(at) != words or at + 12 > len(self.data) or self.data[at + 8 : at + 12] != _END:
            _refuse("block end")
        self.size = at + 12
        link = _word(self.data, at + 4)
        self.next = offset + (link - 0x100000000 if link & 0x80000000 else link)

    def _words(self, at: int) -> int:
        if self.data[at] & 0x80:
            return int.from_bytes(self.data[at + 1 : at + 3], "little")
        return self.data[at + 1]

    def _take(self, at: int) -> bool:
        """Take the item at `at`. Returns False for the item LAST."""
        if at + 4 > len(self.data):
            _refuse("block size")
        kind = self.data[at]
        if kind == _LAST:
            return False
        words = self._words(at)
        if words == 0 or at + 4 * words > len(self.data):
            _refuse("item size")
        if kind != _IGNORED:
            if kind in self.items:
                _refuse("item twice")
            self.items[kind] = (at, bytes(self.data[at : at + 4 * words]))
        return True

    def item(self, kind: int, words: int, reason: str) -> "tuple[int, bytes]":
        """Return an item of at least `words` words."""
        found = self.items.get(kind, (0, b""))
        if len(found[1]) < 4 * words:
            _refuse(reason)
        return found


def first_block(read: "Callable[[int, int], bytes]", limit: int) -> int:
    """Return where the first block begins: the first marker at a whole word. Raises ImageFormatError."""
    end = min(_FIRST_BLOCK_LIMIT, limit - limit % 4)
    for start in range(0, end, _READ_BYTES):
        piece = read(start, min(_READ_BYTES, end - start))
        at = piece.find(_START)
        while at >= 0:
            if at % 4 == 0:
                return start + at
            at = piece.find(_START, at + 1)
    raise ImageFormatError(reason="no block")


def _definition(read: "Callable[[int, int], bytes]", limit: int) -> "Block":
    """Return the last block of the loop."""
    first = at = first_block(read, limit)
    for _ in range(_MAX_BLOCKS):
        block = Block(read, at, limit)
        if block.next == first:
            return block
        if block.next < at + block.size or block.next % 4 or block.next + 16 > limit:
            _refuse("block loop")
        at = block.next
    raise ImageFormatError(reason="block loop")


def _version(block: "Block") -> "tuple[tuple[int, int, int, int], int, tuple[int, ...]]":
    """Return version, rollback version and its OTP rows."""
    _, item = block.item(_VERSION, 3, "no rollback version")
    count = item[3]
    if count == 0 or len(item) != 4 * (2 + (count + 2) // 2):
        _refuse("no rollback version")
    upper, build = _word(item, 4) >> 16, _word(item, 4) & 0xFFFF
    halves = [int.from_bytes(item[at : at + 2], "little") for at in range(8, 10 + 2 * count, 2)]
    if not 0 < halves[0] < _STEPS_PER_ROW * count:
        _refuse("rollback version")
    return (upper >> 8, upper & 0xFF, 0, build), halves[0], tuple(halves[1:])


def _ranges(block: "Block") -> "list[tuple[int, int]]":
    """Return (offset, size) of every range of the load map (rule 3)."""
    at, item = block.item(_LOAD_MAP, 4, "no load map")
    count = item[3]
    if count & 0x80 or count == 0 or len(item) != 4 * (1 + 3 * count):
        _refuse("load map")
    found = []
    expected = 0
    for entry in range(count):
        storage, size = _word(item, 4 + 12 * entry), _word(item, 12 + 12 * entry)
        if (
            (block.offset + at + storage) & 0xFFFFFFFF != expected
            or storage == 0
            or size > block.offset - expected
        ):
            _refuse("load map")
        found.append((expected, size))
        expected += size
    if expected != block.offset:
        _refuse("load map")
    return found


def _digest(
    read: "Callable[[int, int], bytes]", block: "Block", ranges: "list[tuple[int, int]]", words: int
) -> bytes:
    """Return the SHA-256 that is signed (rule 3)."""
    digest: "Any" = hashlib.sha256()
    for offset, size in ranges:
        for at in range(offset, offset + size, _READ_BYTES):
            digest.update(read(at, min(_READ_BYTES, offset + size - at)))
    own = bytearray(block.data[: 4 * words])
    own[block.items[_IMAGE_TYPE][0] + 3] &= 0x7F  # _TRY_BEFORE_BUY
    digest.update(own)
    found: bytes = digest.digest()
    return found


def parse_rp2350_image(
    read: "Callable[[int, int], bytes]", limit: int, is_running: bool = False
) -> "Rp2350Image":
    """Return the facts of the image that `read(offset, length)` reads, at most `limit` bytes.

    `is_running`: the image may be bought already, so its flag "try before you buy" can be gone. Checks structure and
    bounds, not the signature itself. Raises ImageFormatError(reason).
    """
    if limit < 16:
        _refuse("no block")
    block = _definition(read, limit)
    kind_at, kind = block.item(_IMAGE_TYPE, 1, "no image type")
    flags = int.from_bytes(kind[2:4], "little")
    if kind_at != 4 or flags & _TYPE_MASK != _TYPE_FLAGS:
        _refuse("image type")
    if not is_running and not flags & _TRY_BEFORE_BUY:
        _refuse("no trial")
    version, counter, rows = _version(block)
    ranges = _ranges(block)
    at, hash_def = block.item(_HASH_DEF, 2, "no hash")
    words = int.from_bytes(hash_def[4:6], "little")
    if hash_def[3] != _SHA256 or words != (at + 8) // 4:
        _refuse("hash")
    for needed in (_IMAGE_TYPE, _VERSION, _LOAD_MAP):
        if block.items[needed][0] > at:
            _refuse("hash")  # it would not cover this item
    place, signed = block.item(_SIGNATURE, _SIGNATURE_WORDS, "no signature")
    if place < at or signed[3] != _SECP256K1 or len(signed) != 4 * _SIGNATURE_WORDS:
        _refuse("no signature")
    digest = _digest(read, block, ranges, words)
    total = block.offset + block.size
    return Rp2350Image(total, digest, version, counter, rows, signed[4:68], signed[68:])

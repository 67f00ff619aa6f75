"""Install a verified manifest into the slot that does not run: fetch, check, write, read back, stage.

Rules, in the order they are applied (design.md, Update):
1. Only a VerifiedManifest comes in: signature, class and sequence number were checked before (trust.verify).
2. The chunk list is fetched first and must have the digest and size that the author signed.
3. The slot's trailer is erased before the first write, so a slot that is half written is never staged.
4. A chunk is written only when it has the digest of the list; a chunk that is already there is not fetched again,
   so a transfer goes on from what is stored, after a power cut and from another source.
5. What was stored is read back and must have the signed digest.
6. The image must be one that this board starts, its build number the manifest's sequence number (so that an image
   knows what it is even on a unit fresh from the factory), and its security counter not below the unit's.
7. Only then is the slot staged. Resource failure anywhere means "not installed" (UP-12).
"""

from collections import namedtuple
from hashlib import sha256

from device.codec.image import parse_image
from device.compat import const
from device.errors import DigestMismatchError, ImageFormatError, LimitError, SecurityCounterError
from device.limits import CHUNK_BYTES, CHUNK_LIST_BYTES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Generator

    from device.codec.image import ImageInfo
    from device.trust.verify import VerifiedManifest
    from device.update.slots import BootState

# Effects; the runner answers each one.
FetchObject = namedtuple("FetchObject", ("digest", "size"))  # -> bytes
PlanPayload = namedtuple("PlanPayload", ("digest", "size", "chunk_digests", "wanted"))  # -> None
FetchChunk = namedtuple("FetchChunk", ("index",))  # -> bytes
Progress = namedtuple("Progress", ("done", "total"))  # -> None; chunks; a place to let others run


def chunk_size(index: int, total_bytes: int) -> int:
    """Bytes of chunk `index` of a payload of `total_bytes`."""
    return min(CHUNK_BYTES, total_bytes - index * CHUNK_BYTES)


def split_digests(chunk_list: bytes, payload_bytes: int) -> "list[bytes]":
    """The chunk digests of a list that covers `payload_bytes`. Raises DigestMismatchError."""
    count = (payload_bytes + CHUNK_BYTES - 1) // CHUNK_BYTES
    if len(chunk_list) != 32 * count:
        raise DigestMismatchError(component="chunks", reason="length")
    return [chunk_list[at : at + 32] for at in range(0, len(chunk_list), 32)]


def _fetch_list(manifest: "VerifiedManifest") -> "Generator[object, Any, list[bytes]]":
    chunks = manifest.chunks
    if chunks.size > CHUNK_LIST_BYTES:
        raise LimitError(what="chunk list", limit=CHUNK_LIST_BYTES)
    data = yield FetchObject(chunks.digest, chunks.size)
    if len(data) != chunks.size or sha256(data).digest() != chunks.digest:
        raise DigestMismatchError(component="chunks")
    return split_digests(data, manifest.firmware.size)


def _is_stored(boot: "BootState", slot: int, index: int, size: int, digest: bytes) -> bool:
    return sha256(boot.read(slot, index * CHUNK_BYTES, size)).digest() == digest


def slot_digest(boot: "BootState", slot: int, size: int) -> bytes:
    """SHA-256 of the first `size` bytes of a slot, read back in chunks."""
    digest = sha256()
    for offset in range(0, size, CHUNK_BYTES):
        digest.update(boot.read(slot, offset, min(CHUNK_BYTES, size - offset)))
    return digest.digest()


def check_image(boot: "BootState", slot: int, size: int) -> "ImageInfo":
    """The image in `slot`, when this unit may start it. Raises ImageFormatError, SecurityCounterError."""
    info = parse_image(lambda offset, length: boot.read(slot, offset, length), size)
    if info.total_bytes != size:
        raise ImageFormatError(reason="size")
    have = boot.security_counter()
    if info.security_counter < have:
        raise SecurityCounterError(have=have, offered=info.security_counter)
    return info


def install(
    manifest: "VerifiedManifest", boot: "BootState", slot: int
) -> "Generator[object, Any, ImageInfo]":
    """Bring the firmware of `manifest` into `slot` and stage it; returns what the image says of itself.

    `slot` is the one that does not run. Raises DigestMismatchError, LimitError, ImageFormatError,
    SecurityCounterError, FlashError, and whatever the runner throws in (LinkError).
    """
    size = manifest.firmware.size
    if size == 0 or size > boot.slot_limit_bytes:
        raise LimitError(what="payload", limit=boot.slot_limit_bytes)
    digests = yield from _fetch_list(manifest)
    if not boot.is_blank_trailer(slot):
        boot.clear_marks(slot)

    wanted = []
    for index in range(len(digests)):
        if not _is_stored(boot, slot, index, chunk_size(index, size), digests[index]):
            wanted.append(index)
        yield Progress(0, len(digests))
    yield PlanPayload(manifest.firmware.digest, size, digests, wanted)
    done = len(digests) - len(wanted)
    for index in wanted:
        data = yield FetchChunk(index)
        if len(data) != chunk_size(index, size) or sha256(data).digest() != digests[index]:
            raise DigestMismatchError(component="firmware", chunk=index)
        boot.rewrite_sector(slot, index * CHUNK_BYTES, data)
        done += 1
        yield Progress(done, len(digests))

    if slot_digest(boot, slot, size) != manifest.firmware.digest:
        raise DigestMismatchError(component="firmware")
    info = check_image(boot, slot, size)
    if info.version[3] != manifest.sequence_number:
        raise ImageFormatError(reason="build number")
    boot.stage(slot)
    return info

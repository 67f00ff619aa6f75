"""Install a verified manifest into the slot that does not run: fetch, check, write, read back, stage.

Rules, in the order they are applied (docs/design.md, Update):
1. Only a VerifiedManifest comes in: signature, class and sequence number were checked before (trust.verify).
2. The chunk list is fetched first and must have the digest and size that the author signed.
3. The slot's trailer is erased before the first write, so a slot that is half written is never staged.
4. A chunk is written only when it has the digest of the list; a chunk that is already there is not fetched again,
   so a transfer goes on from what is stored, after a power cut and from another source.
5. What was stored is read back and must have the signed digest.
6. The image must be one that this board starts, its build number the manifest's sequence number (so that an image
   knows what it is even on a unit fresh from the factory; with an application set it may be lower, never higher, since
   the set alone may have changed), and its security counter not below the unit's.
7. An application set goes the same way into a place of its own, before the firmware; what both become is written down
   once both are complete (device/update/appset.py).
8. Where the release that runs is the one that a patch was made from, the firmware is made from both; whatever stands
   against it, the payload is fetched as above (device/update/patching.py).
9. Only then is the slot staged: that of the firmware, or where the firmware runs already that of the set. Resource
   failure anywhere means "not installed" (UP-12).
"""

from collections import namedtuple
from hashlib import sha256

from device.codec import bundle
from device.codec.image import parse_image
from device.compat import const
from device.errors import (
    DigestMismatchError,
    ImageFormatError,
    LimitError,
    SecurityCounterError,
    UnsupportedError,
)
from device.limits import CHUNK_BYTES, CHUNK_LIST_BYTES
from device.update import patching
from device.update.appset import Binding

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Generator

    from device.codec.image import ImageInfo
    from device.trust.verify import Target, VerifiedManifest
    from device.update.appset import AppSets
    from device.update.slots import BootState, Slots

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


def _fetch_list(chunks: "Target", payload: "Target", name: str) -> "Generator[object, Any, list[bytes]]":
    if chunks.size > CHUNK_LIST_BYTES:
        raise LimitError(what="chunk list", limit=CHUNK_LIST_BYTES)
    data = yield FetchObject(chunks.digest, chunks.size)
    if len(data) != chunks.size or sha256(data).digest() != chunks.digest:
        raise DigestMismatchError(component=name)
    return split_digests(data, payload.size)


def _is_stored(area: "Slots", slot: int, index: int, size: int, digest: bytes) -> bool:
    return sha256(area.read(slot, index * CHUNK_BYTES, size)).digest() == digest


def check_image(boot: "BootState", slot: int, size: int) -> "ImageInfo":
    """The image in `slot`, when this unit may start it. Raises ImageFormatError, SecurityCounterError."""
    info = parse_image(lambda offset, length: boot.read(slot, offset, length), size)
    if info.total_bytes != size:
        raise ImageFormatError(reason="size")
    have = boot.security_counter()
    if info.security_counter < have:
        raise SecurityCounterError(have=have, offered=info.security_counter)
    return info


# Where an application set goes, and what it is bound to where its firmware runs already.
Place = namedtuple("Place", ("sets", "slot", "running_digest"))


def install(
    manifest: "VerifiedManifest", boot: "BootState", slot: int, place: "Place | None" = None
) -> "Generator[object, Any, ImageInfo | None]":
    """Bring what `manifest` names into the slots and stage it; returns what the image says, None where it runs already.

    `slot` is the one that does not run; `place` a place for an application set, None on a unit that takes none. Raises
    DigestMismatchError, LimitError, ImageFormatError, SecurityCounterError, BundleError, UnsupportedError, FlashError,
    and whatever the runner throws in (LinkError).
    """
    _check_room(manifest, boot, place)
    is_alone = manifest.chunks is None
    if not is_alone and not boot.is_blank_trailer(slot):
        boot.clear_marks(slot)
    info = None
    if manifest.app is None or place is None:
        info = yield from _bring_firmware(manifest, boot, slot)
    else:
        yield from _bring_set(manifest, place)
        if not is_alone:
            info = yield from _bring_firmware(manifest, boot, slot)
        digest = place.running_digest if info is None else info.digest
        place.sets.bind(
            place.slot,
            Binding(manifest.sequence_number, digest, manifest.app.digest, manifest.app.size, is_alone),
        )
        if info is None:
            place.sets.stage(place.slot)
            return None
    boot.stage(slot)
    return info


def _check_room(manifest: "VerifiedManifest", boot: "BootState", place: "Place | None") -> None:
    size = manifest.firmware.size
    if size == 0 or size > boot.slot_limit_bytes:
        raise LimitError(what="payload", limit=boot.slot_limit_bytes)
    if manifest.app is None:
        return
    if place is None:
        raise UnsupportedError(what="application set on this board")
    if manifest.app.size > place.sets.slot_limit_bytes:
        raise LimitError(what="application set", limit=place.sets.slot_limit_bytes)


def _bring_firmware(
    manifest: "VerifiedManifest", boot: "BootState", slot: int
) -> "Generator[object, Any, ImageInfo]":
    is_made = yield from patching.make(manifest, boot, slot, _bring)
    if not is_made:
        yield from _bring(boot, slot, manifest.chunks, manifest.firmware, ("chunks", "firmware"))
    info = check_image(boot, slot, manifest.firmware.size)
    build = info.version[3]
    if build != manifest.sequence_number and (manifest.app is None or build > manifest.sequence_number):
        raise ImageFormatError(reason="build number")
    return info


def _bring_set(manifest: "VerifiedManifest", place: "Place") -> "Generator[object, Any, None]":
    """Store the application set; that it is a bundle is seen before anything is said about it."""
    sets: "AppSets" = place.sets
    sets.drop(place.slot)
    yield from _bring(sets, place.slot, manifest.app_chunks, manifest.app, ("app-chunks", "app"))
    bundle.decode(lambda offset, length: sets.read(place.slot, offset, length), manifest.app.size)


def _bring(
    area: "Slots", slot: int, chunks: "Target", payload: "Target", names: "tuple[str, str]"
) -> "Generator[object, Any, None]":
    """Bring one payload into `slot` of `area`, what is stored already kept; read back and compared at the end."""
    size = payload.size
    digests = yield from _fetch_list(chunks, payload, names[0])
    wanted = []
    for index in range(len(digests)):
        if not _is_stored(area, slot, index, chunk_size(index, size), digests[index]):
            wanted.append(index)
        yield Progress(0, len(digests))
    yield PlanPayload(payload.digest, size, digests, wanted)
    done = len(digests) - len(wanted)
    for index in wanted:
        data = yield FetchChunk(index)
        if len(data) != chunk_size(index, size) or sha256(data).digest() != digests[index]:
            raise DigestMismatchError(component=names[1], chunk=index)
        area.rewrite_sector(slot, index * CHUNK_BYTES, data)
        done += 1
        yield Progress(done, len(digests))
    if area.digest(slot, size) != payload.digest:
        raise DigestMismatchError(component=names[1])

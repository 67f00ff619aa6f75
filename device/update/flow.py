"""Install a verified manifest into the slot that is not running: fetch, check, write, read back, stage.

Rules, in the order they are applied (docs/design.md, Update):
1. Only a VerifiedManifest is accepted: its signature, class and sequence number were checked before (trust.verify).
2. The chunk list is fetched first. It must have the digest and the size that the author signed.
3. The slot's trailer is erased before the first write, so an incomplete slot is never staged.
4. A chunk is written only if its digest is the one in the list. A chunk that is already stored is not fetched again,
   so a transfer continues after a power cut and from another source.
5. The stored payload is read back. It must have the signed digest.
6. This board must be able to start the image. Its security counter must not be below the unit's, nor above the highest
   value that the unit can store, because after the confirm it would be too late to refuse. Its build number is the
   manifest's sequence number, so that an image knows its release even on a unit fresh from the factory. In a release
   with an application set the build number may be lower but not higher, because perhaps only the set is new.
7. An application set is stored first, in the same way, in an application slot. Once set and firmware are complete, the
   binding between them is written (device/update/appset.py).
8. If the running release is the source of the manifest's patch, the firmware is made from both. After any problem with
   the patch the payload is fetched as above (device/update/patching.py).
9. Only then is the slot staged: the firmware's, or the set's if the firmware is already running. After any failure
   nothing is installed (UP-12).
10. What the author signed may be wrong by itself: too large, no image for this board, a list of other chunks. No source
   can serve it better, so the flow reports that (Refused), and the unit does not fetch the release at each check.
"""

from collections import namedtuple
from hashlib import sha256

from device.codec import bundle
from device.compat import const
from device.errors import (
    BundleError,
    DigestMismatchError,
    ImageFormatError,
    LimitError,
    SecurityCounterError,
    UnsupportedError,
)
from device.limits import CHUNK_BYTES, CHUNK_LIST_BYTES
from device.update import patching
from device.update.appset import Binding
from device.update.patching import Unfit

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Generator

    from device.interfaces import ImageFacts
    from device.trust.verify import Target, VerifiedManifest
    from device.update.slots import BootState, Slots

_DIGEST_BYTES = const(32)

# Effects; the runner answers each one.
FetchObject = namedtuple("FetchObject", ("digest", "size"))  # -> bytes, bytearray or memoryview
PlanPayload = namedtuple("PlanPayload", ("digest", "size", "chunk_digests", "wanted"))  # -> None
FetchChunk = namedtuple(
    "FetchChunk", ("index",)
)  # -> bytes, or a memoryview that is valid until the next effect
Progress = namedtuple("Progress", ("done", "total"))  # -> None; chunks; the runner may let other tasks run
Refused = namedtuple("Refused", ("error",))  # -> None; rule 10; the flow raises `error` next


def chunk_size(index: int, total_bytes: int) -> int:
    """Return the size in bytes of chunk `index` of a payload of `total_bytes`."""
    return min(CHUNK_BYTES, total_bytes - index * CHUNK_BYTES)


class ChunkDigests:
    """The chunk digests of a list, as a sequence. The list is one object: one for each digest takes half as much again.

    Raises DigestMismatchError if the list does not cover `payload_bytes`.
    """

    def __init__(self, chunk_list: "bytes | bytearray | memoryview", payload_bytes: int) -> None:
        if len(chunk_list) != _DIGEST_BYTES * ((payload_bytes + CHUNK_BYTES - 1) // CHUNK_BYTES):
            raise DigestMismatchError(component="chunks", reason="length")
        self._list = chunk_list

    def __len__(self) -> int:
        count: int = len(self._list) // _DIGEST_BYTES
        return count

    def __getitem__(self, index: int) -> bytes:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return bytes(self._list[index * _DIGEST_BYTES : (index + 1) * _DIGEST_BYTES])


def _fetch_list(chunks: "Target", payload: "Target", name: str) -> "Generator[object, Any, ChunkDigests]":
    if chunks.size > CHUNK_LIST_BYTES:
        raise Unfit(LimitError(what="chunk list", limit=CHUNK_LIST_BYTES))
    data = yield FetchObject(chunks.digest, chunks.size)
    if sha256(data).digest() != chunks.digest:
        raise DigestMismatchError(component=name)
    try:
        return ChunkDigests(data, payload.size)
    except DigestMismatchError as error:
        raise Unfit(error)


def _is_stored(slots: "Slots", slot: int, index: int, size: int, digest: bytes) -> bool:
    return slots.digest(slot, size, index * CHUNK_BYTES) == digest


def check_image(boot: "BootState", slot: int, size: int) -> "ImageFacts":
    """Return the facts of the image in `slot`, if this unit may start it.

    Raises ImageFormatError, SecurityCounterError, LimitError, FlashError.
    """
    info = boot.image(slot, size)
    if info.total_bytes != size:
        raise ImageFormatError(reason="size")
    have = boot.security_counter()
    if info.security_counter < have:
        raise SecurityCounterError(have=have, offered=info.security_counter)
    if info.security_counter > boot.counter_capacity:
        raise LimitError(what="security counter", limit=boot.counter_capacity)
    return info


# The application slot for a set; `running_digest` is the image that the set belongs to if its firmware is running.
AppSlot = namedtuple("AppSlot", ("sets", "slot", "running_digest"))


def install(
    manifest: "VerifiedManifest", boot: "BootState", slot: int, app_slot: "AppSlot | None" = None
) -> "Generator[object, Any, ImageFacts | None]":
    """Store the payloads of `manifest` and stage them. Returns the new image's header, None if it is already running.

    `slot` is the one that is not running; `app_slot` is None on a unit without application slots. Raises
    DigestMismatchError, LimitError, ImageFormatError, SecurityCounterError, BundleError, UnsupportedError, FlashError,
    and the errors that the runner throws in (LinkError).
    """
    try:
        info = yield from _install(manifest, boot, slot, app_slot)
        return info
    except Unfit as found:
        error = found.args[0]
    yield Refused(error)
    raise error


def _install(
    manifest: "VerifiedManifest", boot: "BootState", slot: int, app_slot: "AppSlot | None"
) -> "Generator[object, Any, ImageFacts | None]":
    """As `install`; raises Unfit for what the author signed (rule 10)."""
    _check_room(manifest, boot, app_slot)
    is_alone = manifest.chunks is None
    if not is_alone and not boot.is_blank_trailer(slot):
        boot.clear_marks(slot)
    info = None
    if manifest.app is None or app_slot is None:
        info = yield from _bring_firmware(manifest, boot, slot)
    else:
        yield from _bring_set(manifest, app_slot)
        if not is_alone:
            info = yield from _bring_firmware(manifest, boot, slot)
        digest = app_slot.running_digest if info is None else info.digest
        app_slot.sets.bind(
            app_slot.slot,
            Binding(manifest.sequence_number, digest, manifest.app.digest, manifest.app.size, is_alone),
        )
        if info is None:
            app_slot.sets.stage(app_slot.slot)
            return None
    boot.stage(slot)
    return info


def _check_room(manifest: "VerifiedManifest", boot: "BootState", app_slot: "AppSlot | None") -> None:
    size = manifest.firmware.size
    if size > boot.slot_limit_bytes:
        raise Unfit(LimitError(what="payload", limit=boot.slot_limit_bytes))
    if manifest.app is None:
        return
    if app_slot is None:
        raise Unfit(UnsupportedError(what="application set on this board"))
    if manifest.app.size > app_slot.sets.slot_limit_bytes:
        raise Unfit(LimitError(what="application set", limit=app_slot.sets.slot_limit_bytes))


def _bring_firmware(
    manifest: "VerifiedManifest", boot: "BootState", slot: int
) -> "Generator[object, Any, ImageFacts]":
    is_made = yield from patching.make(manifest, boot, slot, _bring)
    if not is_made:
        yield from _bring(boot, slot, manifest.chunks, manifest.firmware, ("chunks", "firmware"))
    try:
        info = check_image(boot, slot, manifest.firmware.size)
        build = info.version[3]
        if build > manifest.sequence_number or (manifest.app is None and build < manifest.sequence_number):
            raise ImageFormatError(reason="build number")
    except (ImageFormatError, SecurityCounterError, LimitError) as error:
        raise Unfit(error)
    return info


def _bring_set(manifest: "VerifiedManifest", app_slot: "AppSlot") -> "Generator[object, Any, None]":
    """Store the application set, and check that it is a bundle, before it is bound to an image."""
    sets, slot = app_slot.sets, app_slot.slot
    sets.drop(slot)
    yield from _bring(sets, slot, manifest.app_chunks, manifest.app, ("app-chunks", "app"))
    try:
        bundle.decode(lambda offset, length: sets.read(slot, offset, length), manifest.app.size)
    except BundleError as error:
        raise Unfit(error)


def _bring(
    slots: "Slots", slot: int, chunks: "Target", payload: "Target", names: "tuple[str, str]"
) -> "Generator[object, Any, None]":
    """Store one payload in `slot` of `slots`; keep the chunks that are already there; read back and compare.

    Raises Unfit if the author's list is that of another payload.
    """
    size = payload.size
    digests = yield from _fetch_list(chunks, payload, names[0])
    wanted = []
    for index in range(len(digests)):
        if not _is_stored(slots, slot, index, chunk_size(index, size), digests[index]):
            wanted.append(index)
        yield Progress(0, len(digests))
    yield PlanPayload(payload.digest, size, digests, wanted)
    done = len(digests) - len(wanted)
    for index in wanted:
        data = yield FetchChunk(index)
        if len(data) != chunk_size(index, size) or sha256(data).digest() != digests[index]:
            raise DigestMismatchError(component=names[1], chunk=index)
        slots.rewrite_sector(slot, index * CHUNK_BYTES, data)
        done += 1
        yield Progress(done, len(digests))
    if slots.digest(slot, size) == payload.digest:
        return
    error = DigestMismatchError(component=names[1])
    for index in range(len(digests)):
        if not _is_stored(slots, slot, index, chunk_size(index, size), digests[index]):
            raise error  # the flash lost it: the next check fetches this chunk again
    raise Unfit(error)

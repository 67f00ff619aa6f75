"""Rebuild the firmware from the running release and a patch. On any problem, fetch the full payload.

Rules, in the order they are applied (docs/adr/0016):
1. The running slot must have the digest that the author signed the patch for, over all its bytes.
2. The patch is a payload like any other: a list of chunks, each checked as it arrives, kept over power cuts, read back
   at its end. It is stored in the last sectors of the target slot, after the firmware. If both do not fit, no delta is
   tried.
3. The patch is applied from its start, into the sectors before it. After a power cut the slot is not staged and the
   patch is still stored: it is applied again from the start, and nothing is fetched again.
4. The result is read back. It must have the digest of the firmware. A patch that is refused, or whose result has
   another digest, is not tried again for this release. The running slot is only read.
"""

from collections import namedtuple

from device.compat import const
from device.errors import (
    DeltaError,
    DigestMismatchError,
    HeatshrinkError,
    LimitError,
    LinkTimeoutError,
    PeerRefusedError,
)
from device.limits import CHUNK_BYTES, DELTA_PIECE_BYTES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, Generator

    from device.trust.verify import VerifiedManifest
    from device.update.slots import Slots

# Effects; the runner answers each one.
TryDelta = namedtuple("TryDelta", ("delta",))  # -> bool: whether no patch was refused for this release
# -> None; `error` is why the full payload is fetched, None if the firmware was made; `is_final`: do not try again.
DeltaDone = namedtuple("DeltaDone", ("error", "is_final"))
Applied = namedtuple("Applied", ("done", "total"))  # -> None; sectors; the runner may let other tasks run

# Problems of a patch, of its chunk list or of their publication. A lost link is a different error.
_FETCH_ERRORS = (DeltaError, DigestMismatchError, LimitError, LinkTimeoutError, PeerRefusedError)


class Tail:
    """The part of a slot after its first `base` bytes, with the methods of Slots that store a payload."""

    def __init__(self, slots: "Slots", base: int) -> None:
        self._slots = slots
        self._base = base

    def read(self, slot: int, offset: int, length: int) -> bytes:
        return self._slots.read(slot, self._base + offset, length)

    def digest(self, slot: int, size: int, start: int = 0) -> bytes:
        return self._slots.digest(slot, size, self._base + start)

    def rewrite_sector(self, slot: int, offset: int, data: bytes) -> None:
        self._slots.rewrite_sector(slot, self._base + offset, data)


def make(
    manifest: "VerifiedManifest",
    boot: "Slots",
    slot: int,
    bring: "Callable[..., Generator[object, Any, None]]",
) -> "Generator[object, Any, bool]":
    """Make the firmware of `manifest` in `slot` from the patch. Returns whether it is complete and has its digest.

    `bring` is flow's function that stores a payload. Raises FlashError, and LinkError if the link was lost.
    """
    delta, firmware = manifest.delta, manifest.firmware
    if delta is None or not (yield TryDelta(delta)):
        return False
    try:
        base = _room_for(boot, firmware.size, delta.patch.size)
        if delta.source_size > boot.slot_limit_bytes:
            raise LimitError(what="source of a delta", limit=boot.slot_limit_bytes)
        if boot.digest(1 - slot, delta.source_size) != delta.source_digest:
            raise DeltaError(reason="made from another release")
        tail = Tail(boot, base)
        yield from bring(tail, slot, delta.chunks, delta.patch, ("delta-chunks", "delta"))
        yield from _apply(manifest, boot, slot, tail)
    except _FETCH_ERRORS as error:
        yield DeltaDone(error, False)
        return False
    except Unfit as refusal:
        yield DeltaDone(refusal.args[0], True)
        return False
    if boot.digest(slot, firmware.size) != firmware.digest:
        yield DeltaDone(DigestMismatchError(component="firmware", reason="made from a delta"), True)
        return False
    yield DeltaDone(None, True)
    return True


class Unfit(Exception):
    """Raised inside a flow if what the author signed is wrong, whichever source serves it; args: the error."""


def _sectors(size: int) -> int:
    return (size + CHUNK_BYTES - 1) // CHUNK_BYTES


def _room_for(boot: "Slots", target_bytes: int, patch_bytes: int) -> int:
    """Return the offset of the patch in the slot, in bytes. Raises DeltaError if both do not fit."""
    base: int = (boot.slot_limit_bytes // CHUNK_BYTES - _sectors(patch_bytes)) * CHUNK_BYTES
    if base < _sectors(target_bytes) * CHUNK_BYTES:
        raise DeltaError(reason="no room")
    return base


def _apply(
    manifest: "VerifiedManifest", boot: "Slots", slot: int, tail: Tail
) -> "Generator[object, Any, None]":
    """Apply the stored patch (rule 3). RAM: the decoder's window and pieces of DELTA_PIECE_BYTES. Raises Unfit."""
    delta, size = manifest.delta, manifest.firmware.size
    try:
        from device.update.delta import Target  # imported here: most updates have no patch

        target = Target(
            lambda offset, length: tail.read(slot, offset, length),
            delta.patch.size,
            lambda offset, length: boot.read(1 - slot, offset, length),
            delta.source_size,
            size,
        )
        for sector in range(_sectors(size)):
            boot.erase_sector(slot, sector * CHUNK_BYTES)
            end = min((sector + 1) * CHUNK_BYTES, size)
            for offset in range(sector * CHUNK_BYTES, end, DELTA_PIECE_BYTES):
                boot.program(slot, offset, target.read(DELTA_PIECE_BYTES))  # fewer at the end
            yield Applied(sector + 1, _sectors(size))
        target.finish()
    except (DeltaError, HeatshrinkError) as error:
        raise Unfit(error)

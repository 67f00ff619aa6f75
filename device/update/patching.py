"""Make the firmware from the release that runs and a patch. Whatever stands against it leads to the full payload.

Rules, in the order they are applied (docs/adr/0016):
1. The running slot has the digest that the author signed the patch for, over all its bytes.
2. The patch is a payload like any other: a list of chunks, each checked as it arrives, kept over power cuts, read back
   at its end. It lies in the last sectors of the slot that is written, behind the firmware; no room, no delta.
3. It is applied from its start, into the sectors before it. A power cut leaves a slot that is not staged and the patch:
   it is then applied anew, nothing of it is fetched again.
4. What was made is read back and must have the digest of the firmware. A patch that is refused or makes something else
   is not tried again for this release. The running slot is only ever read.
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
from device.update.delta import Target

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, Generator

    from device.trust.verify import VerifiedManifest
    from device.update.slots import Slots

# Effects; the runner answers each one.
TryDelta = namedtuple("TryDelta", ("delta",))  # -> bool: no patch was refused for this release yet
# -> None; `error` is why the full payload is fetched, None where the firmware was made; `is_final`: not tried again.
DeltaDone = namedtuple("DeltaDone", ("error", "is_final"))
Applied = namedtuple("Applied", ("done", "total"))  # -> None; sectors; a place to let others run

# What may be wrong with a patch, its list or the place where they are published; a lost link is none of these.
_FETCH_ERRORS = (DeltaError, DigestMismatchError, LimitError, LinkTimeoutError, PeerRefusedError)


class Tail:
    """The part of a slot behind `base` bytes, as a place for a payload."""

    def __init__(self, slots: "Slots", base: int) -> None:
        self._slots = slots
        self._base = base

    def read(self, slot: int, offset: int, length: int) -> bytes:
        return self._slots.read(slot, self._base + offset, length)

    def digest(self, slot: int, size: int) -> bytes:
        return self._slots.digest(slot, size, self._base)

    def rewrite_sector(self, slot: int, offset: int, data: bytes) -> None:
        self._slots.rewrite_sector(slot, self._base + offset, data)


def make(
    manifest: "VerifiedManifest",
    boot: "Slots",
    slot: int,
    bring: "Callable[..., Generator[object, Any, None]]",
) -> "Generator[object, Any, bool]":
    """Make the firmware of `manifest` in `slot`; whether it is there, whole and with its digest.

    `bring` is flow's: bring a payload into a place. Raises FlashError, and LinkError where the link was lost.
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
    except _Refused as refusal:
        yield DeltaDone(refusal.args[0], True)
        return False
    if boot.digest(slot, firmware.size) != firmware.digest:
        yield DeltaDone(DigestMismatchError(component="firmware", reason="made from a delta"), True)
        return False
    yield DeltaDone(None, True)
    return True


class _Refused(Exception):
    """The patch itself is refused; args: why. Never leaves this module."""


def _sectors(size: int) -> int:
    return (size + CHUNK_BYTES - 1) // CHUNK_BYTES


def _room_for(boot: "Slots", target_bytes: int, patch_bytes: int) -> int:
    """Where the patch begins in the slot, in bytes. Raises DeltaError."""
    base: int = (boot.slot_limit_bytes // CHUNK_BYTES - _sectors(patch_bytes)) * CHUNK_BYTES
    if base < _sectors(target_bytes) * CHUNK_BYTES:
        raise DeltaError(reason="no room")
    return base


def _apply(
    manifest: "VerifiedManifest", boot: "Slots", slot: int, tail: Tail
) -> "Generator[object, Any, None]":
    """Rule 3. RAM: the decoder's window and pieces of DELTA_PIECE_BYTES, whatever the sizes. Raises _Refused."""
    delta, size = manifest.delta, manifest.firmware.size
    try:
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
                boot.program(slot, offset, target.read(min(DELTA_PIECE_BYTES, end - offset)))
            yield Applied(sector + 1, _sectors(size))
        target.finish()
    except (DeltaError, HeatshrinkError) as error:
        raise _Refused(error)

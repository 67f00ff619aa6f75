"""Delta payloads: a patch from another release's firmware to this one, made by detools, checked as a unit applies it.

detools (and with it heatshrink2) comes as source and is an optional part of the project: whoever makes deltas has it.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Final

from device.errors import FirstbootError
from device.limits import DELTA_PIECE_BYTES, HEATSHRINK_LOOKAHEAD_BITS, HEATSHRINK_WINDOW_BITS
from device.update.delta import Target
from provisioning.release.payload import DELTA, Payload, ReleaseError

MISSING: Final = "delta payloads need the package detools, which is not here: pip install 'firstboot[delta]'"


@dataclass(frozen=True)
class DeltaSource:
    """What a delta is made from: payload of the release that units run."""

    digest: bytes
    size: int


@dataclass(frozen=True)
class Delta:
    """A patch as a payload, and what it applies to."""

    source: DeltaSource
    payload: Payload


def make_delta(old: bytes, new: bytes) -> Delta:
    """The patch that makes `new` of `old`, both whole payloads.

    Raises ReleaseError where detools is missing, where both are the same, or where the patch is not smaller than `new`.
    """
    if old == new:
        raise ReleaseError("a delta from a release to itself: give another image to --delta-from")
    patch = create_patch(old, new)
    if apply_patch(old, patch, len(new)) != new:
        raise ReleaseError("detools made a patch that does not make the firmware")
    if len(patch) >= len(new):
        raise ReleaseError(
            f"the delta has {len(patch)} bytes and the firmware {len(new)}: publish it without"
        )
    return Delta(DeltaSource(hashlib.sha256(old).digest(), len(old)), Payload.of(DELTA, patch))


def has_detools() -> bool:
    """Whether deltas can be made here."""
    try:
        import detools  # noqa: F401
    except ImportError:
        return False
    return True


def create_patch(
    old: bytes,
    new: bytes,
    window_bits: int = HEATSHRINK_WINDOW_BITS,
    lookahead_bits: int = HEATSHRINK_LOOKAHEAD_BITS,
) -> bytes:
    """A sequential patch of detools with heatshrink. Raises ReleaseError."""
    try:
        import detools
    except ImportError:
        raise ReleaseError(MISSING) from None
    patch = io.BytesIO()
    try:
        detools.create_patch(
            io.BytesIO(old),
            io.BytesIO(new),
            patch,
            "heatshrink",
            heatshrink_window_sz2=window_bits,
            heatshrink_lookahead_sz2=lookahead_bits,
            use_mmap=False,
        )
    except detools.Error as error:
        raise ReleaseError(f"detools makes no delta: {error}") from None
    return patch.getvalue()


def apply_patch(old: bytes, patch: bytes, new_bytes: int) -> bytes:
    """What a unit makes of `old` and `patch`. Raises ReleaseError where a unit refuses the patch."""
    made = bytearray()
    try:
        target = Target(
            lambda offset, length: patch[offset : offset + length],
            len(patch),
            lambda offset, length: old[offset : offset + length],
            len(old),
            new_bytes,
        )
        while piece := target.read(DELTA_PIECE_BYTES):
            made += piece
        target.finish()
    except FirstbootError as error:
        raise ReleaseError(f"a unit refuses the delta: {error}") from None
    return bytes(made)

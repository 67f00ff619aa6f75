"""Delta payloads: a patch from the firmware of another release, made by detools and applied by the device's code.

detools and heatshrink2 are an optional dependency, because pip compiles them from source.
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

MISSING: Final = "A delta needs the package detools, which is not installed: pip install detools==0.53.0"


@dataclass(frozen=True)
class DeltaSource:
    """The payload that a delta is made from: the firmware that units run."""

    digest: bytes
    size: int


@dataclass(frozen=True)
class Delta:
    """A patch as a payload, and what it applies to."""

    source: DeltaSource
    payload: Payload


def make_delta(old: bytes, new: bytes) -> Delta:
    """Return the patch from `old` to `new`, both whole payloads.

    Raises ReleaseError if detools is missing, if both are the same, or if the patch is not smaller than `new`.
    """
    if old == new:
        raise ReleaseError("Both releases have the same firmware. Give another image to --delta-from.")
    patch = create_patch(old, new)
    if apply_patch(old, patch, len(new)) != new:
        raise ReleaseError("detools made a patch that does not result in the firmware.")
    if len(patch) >= len(new):
        raise ReleaseError(
            f"The delta has {len(patch)} bytes, which is not less than the firmware's {len(new)}. Sign the release"
            " without --delta-from."
        )
    return Delta(DeltaSource(hashlib.sha256(old).digest(), len(old)), Payload.of(DELTA, patch))


def has_detools() -> bool:
    """Return whether detools is installed."""
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
    """Return a sequential patch of detools with heatshrink. Raises ReleaseError."""
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
        raise ReleaseError(f"detools cannot make the delta: {error}") from None
    return patch.getvalue()


def apply_patch(old: bytes, patch: bytes, new_bytes: int) -> bytes:
    """Return `old` patched by the device's code. Raises ReleaseError if that code refuses the patch."""
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
        raise ReleaseError(f"A unit would refuse the delta: {error}") from None
    return bytes(made)

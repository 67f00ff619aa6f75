"""The boot ROM's decision, in Python, for the simulator: same rules, same NVM, same image format.

The real one is C (device/boards/mps2_an385/rom). Rules: docs/design.md, Boot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.codec.image import ImageInfo, parse_image
from device.crypto import backend
from device.errors import ImageFormatError
from device.layout import NvmLayout
from device.update.slots import BootState

if TYPE_CHECKING:
    from device.interfaces import Flash

SPKI_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")  # RFC 5480, then the point


@dataclass(frozen=True)
class Handover:
    """What the boot ROM tells the firmware."""

    slot: int
    is_trial: bool
    info: ImageInfo


def _signature_bytes(der: bytes) -> bytes:
    """r || s of a DER ECDSA signature (RFC 3279 2.2.3); empty where it is not one."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    try:
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    except (ValueError, OverflowError):
        return b""


def verify_slot(boot: BootState, slot: int, key_hashes: tuple[bytes, ...]) -> ImageInfo:
    """The image of `slot` when it may start. Raises ImageFormatError(reason)."""
    info = parse_image(lambda offset, length: boot.read(slot, offset, length), boot.slot_limit_bytes)
    digest = hashlib.sha256(boot.read(slot, 0, info.hashed_bytes)).digest()
    if digest != info.digest:
        raise ImageFormatError(reason="digest")
    if hashlib.sha256(info.public_key).digest() not in key_hashes or not info.public_key.startswith(
        SPKI_P256
    ):
        raise ImageFormatError(reason="key")
    signature = _signature_bytes(info.signature)
    if len(signature) != 64 or not backend.p256_verify(info.public_key[len(SPKI_P256) :], digest, signature):
        raise ImageFormatError(reason="signature")
    if info.security_counter < boot.security_counter():
        raise ImageFormatError(reason="security counter")
    return info


def start(
    flash: Flash, layout: NvmLayout, key_hashes: tuple[bytes, ...], say: Callable[[str], None]
) -> Handover | None:
    """Choose the slot to start and mark a trial; None where nothing valid is there."""
    boot = BootState(flash, layout)
    slots = range(len(layout.slot_offsets))
    marks = [boot.marks(slot) for slot in slots]
    trials = [slot for slot in slots if marks[slot].is_staged and not marks[slot].is_tried]
    confirmed = sorted(
        (slot for slot in slots if marks[slot].is_confirmed), key=lambda slot: -marks[slot].confirm_sequence
    )
    for slot, is_trial in [(slot, True) for slot in trials] + [(slot, False) for slot in confirmed]:
        try:
            info = verify_slot(boot, slot, key_hashes)
        except ImageFormatError as error:
            say(f"rom: slot {slot} refused: {error.fields['reason']}")
            continue
        if is_trial:
            boot.mark_tried(slot)
        kind = "trial" if is_trial else "confirmed"
        version = ".".join(str(part) for part in info.version[:3])
        say(f"rom: slot {slot} {kind}, image {version}, counter {info.security_counter}")
        return Handover(slot, is_trial, info)
    say("rom: no valid image in either slot: not booting")
    return None

"""The boot ROM in Python, for the simulator: the same rules, NVM and image format as the real one.

The real boot ROM is C (device/boards/mps2_an385/rom). Rules: docs/design.md, Boot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.codec.image import ImageInfo, parse_image
from device.crypto import backend
from device.errors import ImageFormatError
from device.layout import NvmLayout
from device.update.slots import BootState
from provisioning.release.image import ImageKey

if TYPE_CHECKING:
    from device.interfaces import Flash

# One entry for each image key: SHA-256 of its public key, or an ImageKey, which may also require HSS/LMS.
ImageKeys = Sequence[bytes | ImageKey]
SPKI_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")  # RFC 5480, then the point


@dataclass(frozen=True)
class Handover:
    """The facts that the boot ROM hands over to the firmware."""

    slot: int
    is_trial: bool
    info: ImageInfo
    image_key: int  # number of the image key
    image_key_count: int


def _signature_bytes(der: bytes) -> bytes:
    """Return r || s of a DER ECDSA signature (RFC 3279 2.2.3); empty if `der` is not one."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    try:
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    except (ValueError, OverflowError):
        return b""


def verify_slot(boot: BootState, slot: int, keys: ImageKeys) -> tuple[ImageInfo, int]:
    """Return the image of `slot` and the number of its key. Raises ImageFormatError(reason) if it must not start."""
    info = parse_image(lambda offset, length: boot.read(slot, offset, length), boot.slot_limit_bytes)
    digest = hashlib.sha256(boot.read(slot, 0, info.hashed_bytes)).digest()
    if digest != info.digest:
        raise ImageFormatError(reason="digest")
    number, hss_public = _find_key(info.public_key, keys)
    if number in boot.revoked_image_keys():
        raise ImageFormatError(reason="revoked key")
    signature = _signature_bytes(info.signature)
    if not signature or not backend.p256_verify(info.public_key[len(SPKI_P256) :], digest, signature):
        raise ImageFormatError(reason="signature")
    _check_hss(hss_public, digest, info.hss_signature)
    if info.security_counter < boot.security_counter():
        raise ImageFormatError(reason="security counter")
    return info, number


def _find_key(public_key: bytes, keys: ImageKeys) -> tuple[int, bytes]:
    """Return the key's number and the HSS key that must also have signed (b"" if none). Raises ImageFormatError."""
    digest = hashlib.sha256(public_key).digest()
    for number, entry in enumerate(keys):
        known = ImageKey(entry) if isinstance(entry, bytes) else entry
        if known.key_hash == digest and public_key.startswith(SPKI_P256):
            return number, known.hss_public
    raise ImageFormatError(reason="key")


def _check_hss(public: bytes, digest: bytes, signature: bytes) -> None:
    """Require an HSS signature if the key's entry names an HSS key, and refuse one if it does not."""
    if not public:
        if signature:
            raise ImageFormatError(reason="tlv")
        return
    if not signature:
        raise ImageFormatError(reason="no hss signature")
    try:
        is_good = backend.hss_verify(public, digest, signature)
    except ValueError:
        is_good = False
    if not is_good:
        raise ImageFormatError(reason="hss signature")


def start(flash: Flash, layout: NvmLayout, keys: ImageKeys, say: Callable[[str], None]) -> Handover | None:
    """Choose the slot to start and mark a trial. Returns None if neither slot holds a valid image."""
    boot = BootState(flash, layout)
    slots = range(len(layout.slot_offsets))
    marks = [boot.marks(slot) for slot in slots]
    trials = [slot for slot in slots if marks[slot].is_staged and not marks[slot].is_tried]
    confirmed = sorted(
        (slot for slot in slots if marks[slot].is_confirmed), key=lambda slot: -marks[slot].confirm_sequence
    )
    for slot, is_trial in [(slot, True) for slot in trials] + [(slot, False) for slot in confirmed]:
        try:
            info, key = verify_slot(boot, slot, keys)
        except ImageFormatError as error:
            say(f"rom: slot {slot} refused: {error.fields['reason']}")
            continue
        if is_trial:
            boot.mark_tried(slot)
        kind = "trial" if is_trial else "confirmed"
        version = ".".join(str(part) for part in info.version[:3])
        say(f"rom: slot {slot} {kind}, image {version}, counter {info.security_counter}")
        return Handover(slot, is_trial, info, key, len(keys))
    say("rom: no valid image in either slot: not booting")
    return None


class UnitReset(BaseException):
    """The unit asked for a restart. A BaseException, because device code must not survive its own reset."""


class BootPort:
    """Implements device.interfaces.Boot for one start."""

    def __init__(
        self,
        handover: Handover,
        reason: int,
        hardware_id: bytes,
        is_button_held: bool,
        is_pressed: Callable[[], bool],
    ) -> None:
        self.slot = handover.slot
        self.image_digest = handover.info.digest
        self.image_key = handover.image_key
        self.image_key_count = handover.image_key_count
        self.version = handover.info.version
        self.is_trial = handover.is_trial
        self.reset_reason = reason
        self.hardware_id = hardware_id
        self.is_button_held = is_button_held
        self.is_test_seed = False
        self._is_pressed = is_pressed

    def parse_image(self, read: Callable[[int, int], bytes], limit: int) -> ImageInfo:
        """Return the facts of a MCUboot image, as on the emulated board. Raises ImageFormatError."""
        return parse_image(read, limit)

    def is_button_pressed(self) -> bool:
        """Return whether the button is pressed now."""
        return self._is_pressed()

    def reset(self) -> None:
        """Restart the unit. Raises UnitReset."""
        raise UnitReset

    def watchdog_feed(self) -> None:
        """Do nothing: the simulated watchdog fires only for a release whose body asks for a hang."""

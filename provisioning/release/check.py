"""What a release is checked against on a host: a unit's anchors, or an author's key and a product."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from device.suit import commands as suit_commands
from device.suit import envelope as suit_envelope
from device.suit import manifest
from device.trust import anchors as trust_anchors
from device.trust.anchors import NO_RULES, ROLE_AUTHOR, Anchors, Key
from device.trust.verify import VerifiedManifest
from provisioning.keys import public_keys
from provisioning.keys.key_id import key_id
from provisioning.product.product import load_product
from provisioning.release.application_set import describe
from provisioning.release.delta import apply_patch
from provisioning.release.payload import APP, DELTA, FILES, FIRMWARE, ReleaseError, split_chunks
from provisioning.release.release import Release


def check_files(release: Release, verified: VerifiedManifest) -> None:
    """Raise ReleaseError unless all payloads and chunk lists are the signed ones and belong together.

    Where there is a delta, its patch is one that a unit takes; that it makes the firmware is seen when it is made.
    """
    signed = {FIRMWARE: (verified.chunks, verified.firmware), APP: (verified.app_chunks, verified.app)}
    if verified.delta is not None:
        signed[DELTA] = (verified.delta.chunks, verified.delta.patch)
    for one in release.payloads:
        chunks, payload = signed[one.name]
        if payload is None or one.digest != payload.digest:
            raise ReleaseError("payload and chunk list are not the ones that were signed")
        if chunks is not None and one.chunk_list_digest != chunks.digest:
            raise ReleaseError("payload and chunk list are not the ones that were signed")
        if split_chunks(one.content) != one.chunk_list:
            raise ReleaseError("the chunk list is not that of the payload")
        if one.name == APP and not all(file["is_whole"] for file in describe(one.content)):
            raise ReleaseError("a file of the application set has another digest than its index says")


def firmware_of(path: Path) -> bytes:
    """The firmware of a release folder, or the file itself. Raises OSError."""
    return (path / FILES[FIRMWARE][0] if path.is_dir() else path).read_bytes()


def check_delta(release: Release, verified: VerifiedManifest, old: bytes) -> None:
    """Raise ReleaseError unless the delta was made from `old` and makes the firmware, applied by a unit's own code."""
    if verified.delta is None or release.delta is None:
        raise ReleaseError("the release has no delta")
    if (sha256(old).digest(), len(old)) != (verified.delta.source_digest, verified.delta.source_size):
        raise ReleaseError("the delta was made from another release")
    if apply_patch(old, release.delta.content, len(release.payload)) != release.payload:
        raise ReleaseError("the delta does not make the firmware")


def choose_anchors(
    data: bytes, record: Path | None, key: Path | None, product: Path | None
) -> tuple[Anchors, bool]:
    """Anchors to verify the envelope `data` with, and whether the caller fixed vendor and class.

    From a unit's anchors record, or from an author's key (PEM, public or private) and a product definition;
    without that, vendor and class are whatever the envelope says. Raises ReleaseError, CodecError, OSError.
    """
    if (record is None) == (key is None):
        raise ReleaseError("give either --anchors FILE or --key FILE")
    if record is not None:
        return trust_anchors.decode(record.read_bytes()), True
    found = public_keys.parse((key or Path()).read_bytes())
    if len(found) != 1:
        raise ReleaseError("give one key")
    author = Key(key_id(found[0].public), found[0].algorithm, ROLE_AUTHOR, found[0].public)
    if product is None:
        vendor_id, class_id = claimed_ids(data)
    else:
        ids = load_product(product)
        vendor_id, class_id = ids.vendor_id, ids.class_id
    return Anchors(vendor_id, class_id, (author,), 0, 0, NO_RULES), product is not None


def claimed_ids(data: bytes) -> tuple[bytes, bytes]:
    """Vendor and class that the manifest itself names; zeros where it names none, which then fail."""
    content = manifest.decode(suit_envelope.decode(data).manifest)
    vendor_id = class_id = bytes(16)
    for effect in suit_commands.run((content.shared,), len(content.components)):
        if isinstance(effect, suit_commands.MatchVendor):
            vendor_id = effect.identifier
        elif isinstance(effect, suit_commands.MatchClass):
            class_id = effect.identifier
    return vendor_id, class_id

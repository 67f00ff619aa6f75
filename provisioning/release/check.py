"""Check a release on a host: with the anchors of a unit, or with an author's key and a product definition."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

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

    Of a delta only the patch is compared; `check_delta` applies it.
    """
    signed = {FIRMWARE: (verified.chunks, verified.firmware), APP: (verified.app_chunks, verified.app)}
    if verified.delta is not None:
        signed[DELTA] = (verified.delta.chunks, verified.delta.patch)
    for one in release.payloads:
        chunks, payload = signed[one.name]
        if payload is None or one.digest != payload.digest:
            raise ReleaseError("The payload and the chunk list are not the signed ones.")
        if chunks is not None and one.chunk_list_digest != chunks.digest:
            raise ReleaseError("The payload and the chunk list are not the signed ones.")
        if split_chunks(one.content) != one.chunk_list:
            raise ReleaseError("The chunk list does not belong to the payload.")
        if one.name == APP and not all(file["is_whole"] for file in describe(one.content)):
            raise ReleaseError(
                "A file of the application set does not have the digest in the index of the set."
            )


def firmware_of(path: Path) -> bytes:
    """Return the firmware of a release folder, or the file itself. Raises OSError."""
    return (path / FILES[FIRMWARE][0] if path.is_dir() else path).read_bytes()


def check_delta(release: Release, verified: VerifiedManifest, old: bytes) -> None:
    """Raise ReleaseError unless the delta was made from `old` and the device's code turns `old` into the firmware."""
    if verified.delta is None or release.delta is None:
        raise ReleaseError("The release has no delta.")
    if (sha256(old).digest(), len(old)) != (verified.delta.source_digest, verified.delta.source_size):
        raise ReleaseError("The delta was made from another release.")
    if apply_patch(old, release.delta.content, len(release.payload)) != release.payload:
        raise ReleaseError("The delta does not result in the firmware.")


def choose_anchors(
    data: bytes, record: Path | None, key: Path | None, product: Path | None
) -> tuple[Anchors, bool]:
    """Anchors to verify the envelope `data` with, and whether the caller fixed vendor and class.

    They come from a unit's anchors record, or from an author's key (PEM, public or private) and a product definition.
    Without a product definition, vendor and class are those of the envelope. Raises ReleaseError, CodecError, OSError.
    """
    if (record is None) == (key is None):
        raise ReleaseError("Give either --anchors FILE or --key FILE.")
    if record is not None:
        return trust_anchors.decode(record.read_bytes()), True
    found = public_keys.parse((key or Path()).read_bytes())
    if len(found) != 1:
        raise ReleaseError("The file must contain exactly one key.")
    author = Key(key_id(found[0].public), found[0].algorithm, ROLE_AUTHOR, found[0].public)
    if product is None:
        vendor_id, class_id = claimed_ids(data)
    else:
        ids = load_product(product)
        vendor_id, class_id = ids.vendor_id, ids.class_id
    return Anchors(vendor_id, class_id, (author,), 0, 0, NO_RULES), product is not None


def claimed_ids(data: bytes) -> tuple[bytes, bytes]:
    """Vendor and class that the manifest names. Zeros if it names none: the check of the conditions then fails."""
    content = manifest.decode(suit_envelope.decode(data).manifest)
    vendor_id = class_id = bytes(16)
    for effect in _agreed(suit_commands.run((content.shared,), len(content.components))):
        if isinstance(effect, suit_commands.MatchVendor):
            vendor_id = effect.identifier
        elif isinstance(effect, suit_commands.MatchClass):
            class_id = effect.identifier
    return vendor_id, class_id


def _agreed(running: Generator[Any, Any, None]) -> Iterator[Any]:
    """Yield the effects of a run in which every condition holds."""
    answer: bool | None = None
    with contextlib.suppress(StopIteration):
        while True:
            yield running.send(answer)
            answer = True

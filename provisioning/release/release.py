"""A release: payload, chunk list, and the SUIT envelope that an author signs over both.

The device's codecs write the envelope, and `build_release` verifies it with the device's code, so a release that a unit
would refuse is never published.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from device.codec import cose
from device.errors import FirstbootError
from device.limits import ENVELOPE_BYTES
from device.suit import envelope as suit_envelope
from device.suit import manifest, registry
from device.trust.anchors import NO_RULES, ROLE_AUTHOR, Anchors, Key
from device.trust.verify import VerifiedManifest, verify_envelope
from provisioning.file_system import replace_file
from provisioning.keys.signer import Signer, sign_record
from provisioning.release.bill import with_bill
from provisioning.release.delta import make_delta
from provisioning.release.manifest import encode_manifest
from provisioning.release.payload import (
    APP,
    DELTA,
    FILES,
    FIRMWARE,
    MAX_PAYLOAD_BYTES,
    Payload,
    ReleaseError,
    split_chunks,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "Release",
    "ReleaseError",
    "anchors_of",
    "build_release",
    "sign_record",
    "split_chunks",
]

ENVELOPE_NAME = "release.suit"


@dataclass(frozen=True)
class Release:
    """Everything that is published for one release. `extras`: application set and delta."""

    envelope: bytes
    payload: bytes
    chunk_list: bytes
    sequence_number: int
    extras: tuple[Payload, ...] = ()

    @property
    def firmware(self) -> Payload:
        """The firmware as one of the payloads."""
        return Payload(FIRMWARE, self.payload, self.chunk_list)

    @property
    def payloads(self) -> tuple[Payload, ...]:
        """Every payload, the firmware first."""
        return (self.firmware, *self.extras)

    @property
    def app(self) -> Payload | None:
        """The application set; None without one."""
        return next((one for one in self.extras if one.name == APP), None)

    @property
    def delta(self) -> Payload | None:
        """The patch; None without one."""
        return next((one for one in self.extras if one.name == DELTA), None)

    @property
    def payload_digest(self) -> bytes:
        """SHA-256 of the firmware: its published name."""
        return self.firmware.digest

    @property
    def chunk_list_digest(self) -> bytes:
        """SHA-256 of the firmware's chunk list: its published name."""
        return self.firmware.chunk_list_digest

    def chunks(self) -> list[tuple[bytes, bytes]]:
        """Return (SHA-256, content) of every chunk of the firmware, in order."""
        return self.firmware.chunks()

    def whole_objects(self) -> dict[bytes, bytes]:
        """Return SHA-256 -> content of every payload and chunk list, as a CoAP server serves them."""
        found = {}
        for one in self.payloads:
            found[one.chunk_list_digest] = one.chunk_list
            found[one.digest] = one.content
        return found

    def small_objects(self) -> dict[bytes, bytes]:
        """Return SHA-256 -> content of every chunk and chunk list, as a broker retains them."""
        found = {}
        for one in self.payloads:
            found.update(dict(one.chunks()))
            found[one.chunk_list_digest] = one.chunk_list
        return found

    def save(self, directory: Path) -> None:
        """Write the files. The envelope is last, so a folder with an envelope is complete."""
        directory.mkdir(parents=True, exist_ok=True)
        files = {}
        for one in self.payloads:
            content_name, chunks_name = FILES[one.name]
            files[content_name], files[chunks_name] = one.content, one.chunk_list
        files[ENVELOPE_NAME] = self.envelope
        for name, data in files.items():
            replace_file(directory / name, data)

    @classmethod
    def load(cls, directory: Path) -> Release:
        """Read a folder that `save` wrote. Raises ReleaseError for files that are missing or do not belong together.

        The signature is not verified: that needs anchors (`device.trust.verify.verify_envelope`).
        """
        try:
            envelope = (directory / ENVELOPE_NAME).read_bytes()
        except OSError as error:
            raise ReleaseError(f"{directory} is not a release folder: {error.strerror or error}") from error
        try:
            parts = suit_envelope.decode(envelope)
            content = manifest.decode(parts.manifest)
        except FirstbootError as error:
            raise ReleaseError(f"{directory / ENVELOPE_NAME}: {error}") from error
        digests = _digests(content)
        names = [one for one in FILES if (one.encode(),) in content.components]
        if FIRMWARE not in names:
            raise ReleaseError(f"{directory / ENVELOPE_NAME} has no firmware component")
        firmware, *extras = (_load_payload(directory, name, digests) for name in names)
        return cls(envelope, firmware.content, firmware.chunk_list, content.sequence_number, tuple(extras))


def _load_payload(directory: Path, name: str, digests: set[bytes]) -> Payload:
    read = []
    for file in FILES[name]:
        try:
            data = (directory / file).read_bytes()
        except OSError as error:
            raise ReleaseError(f"{directory} is not a release folder: {error.strerror or error}") from error
        if hashlib.sha256(data).digest() not in digests:
            raise ReleaseError(f"{directory / file} does not have the digest in {ENVELOPE_NAME}")
        read.append(data)
    return Payload(name, read[0], read[1])


def build_release(  # noqa: PLR0913 - the parts of a release, by name
    payload: bytes,
    *,
    vendor_id: bytes,
    class_id: bytes,
    sequence_number: int,
    signer: Signer | Sequence[Signer],
    version: str,
    mitigates: str,
    interrupts: str,
    delta_from: bytes | None = None,
    app: Payload | None = None,
    bill: bytes = b"",
) -> Release:
    """Return a signed release of `payload` for one product class. Each signer adds a signature.

    `delta_from`: firmware that a delta is made from; `app`: an application set (application_set.build_set); `bill`: a
    bill of materials, which the text names (bill.with_bill).

    Raises ReleaseError for a size, FirstbootError if a device would refuse the result.
    """
    signers = list(signer) if isinstance(signer, list | tuple) else [cast("Signer", signer)]
    firmware = Payload.of(FIRMWARE, payload)
    delta = None if delta_from is None else make_delta(delta_from, payload)
    text = with_bill(manifest.encode_text(manifest.Text(version, mitigates, interrupts)), bill)
    content = encode_manifest(
        firmware,
        delta,
        app,
        vendor_id=vendor_id,
        class_id=class_id,
        sequence_number=sequence_number,
        text=text,
    )
    envelope = _signed_envelope(content, text, signers)
    for each in signers:
        _verify_as_device(envelope, vendor_id, class_id, each)
    extras = tuple(one for one in (app, None if delta is None else delta.payload) if one is not None)
    return Release(envelope, payload, firmware.chunk_list, sequence_number, extras)


def _signed_envelope(content: bytes, text: bytes, signers: Sequence[Signer]) -> bytes:
    """Return the envelope of a manifest with its severed text, signed by each signer."""
    digest = suit_envelope.encode_digest(suit_envelope.digest_of(content))
    signatures = tuple(
        cose.sign1_encode(
            digest, algorithm=each.algorithm, key_id=each.key_id, sign=each.sign, is_detached=True
        )
        for each in signers
    )
    return suit_envelope.encode(
        suit_envelope.Envelope(digest, signatures, content, {registry.MEMBER_TEXT: text})
    )


def anchors_of(vendor_id: bytes, class_id: bytes, signer: Signer) -> Anchors:
    """Return the anchors of a unit of this class that trusts one author."""
    key = Key(signer.key_id, signer.algorithm, ROLE_AUTHOR, signer.public)
    return Anchors(vendor_id, class_id, (key,), 0, 0, NO_RULES)


def _verify_as_device(envelope: bytes, vendor_id: bytes, class_id: bytes, signer: Signer) -> VerifiedManifest:
    if len(envelope) > ENVELOPE_BYTES:
        raise ReleaseError(f"The envelope has {len(envelope)} bytes. A device takes {ENVELOPE_BYTES}.")
    return verify_envelope(envelope, anchors_of(vendor_id, class_id, signer))


def image_digests(envelope: bytes) -> set[bytes]:
    """Return every image digest in an envelope: payloads and chunk lists. Verifies nothing. Raises FirstbootError."""
    return _digests(manifest.decode(suit_envelope.decode(envelope).manifest))


def _digests(content: manifest.Manifest) -> set[bytes]:
    """Return every image digest in the manifest."""
    found: set[bytes] = set()
    for _command, argument in content.shared:
        if isinstance(argument, dict) and registry.PARAMETER_IMAGE_DIGEST in argument:
            found.add(argument[registry.PARAMETER_IMAGE_DIGEST])
    return found

"""A release: payload, list of its chunk digests, and the SUIT envelope that an author signs over both.

The device's own codecs write it, and `build_release` reads it back through the device's own verifier: what
a unit would refuse is never published.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from device.codec import cose
from device.errors import FirstbootError
from device.limits import CHUNK_BYTES, CHUNK_LIST_BYTES, ENVELOPE_BYTES
from device.suit import commands, manifest, registry
from device.suit import envelope as suit_envelope
from device.trust.anchors import NO_RULES, ROLE_AUTHOR, Anchors, Key
from device.trust.verify import COMPONENTS, VerifiedManifest, object_uri, verify_envelope
from provisioning.signing.signer import Signer, sign_record

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Release", "ReleaseError", "anchors_of", "build_release", "sign_record", "split_chunks"]

ENVELOPE_NAME = "release.suit"
PAYLOAD_NAME = "payload.bin"
CHUNKS_NAME = "chunks.bin"
MAX_PAYLOAD_BYTES = CHUNK_LIST_BYTES // 32 * CHUNK_BYTES


class ReleaseError(ValueError):
    """A release cannot be built, or its files do not belong together."""


@dataclass(frozen=True)
class Release:
    """Everything that is published for one release."""

    envelope: bytes
    payload: bytes
    chunk_list: bytes
    sequence_number: int

    @property
    def payload_digest(self) -> bytes:
        """SHA-256 of the payload: its name where it is published."""
        return hashlib.sha256(self.payload).digest()

    @property
    def chunk_list_digest(self) -> bytes:
        """SHA-256 of the chunk list: its name where it is published."""
        return hashlib.sha256(self.chunk_list).digest()

    def chunks(self) -> list[tuple[bytes, bytes]]:
        """(SHA-256, content) of every chunk, in order."""
        return [
            (self.chunk_list[at * 32 : at * 32 + 32], self.payload[at * CHUNK_BYTES : (at + 1) * CHUNK_BYTES])
            for at in range(len(self.chunk_list) // 32)
        ]

    def save(self, directory: Path) -> None:
        """Write the three files; the envelope last, so that a folder with an envelope is complete."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in (
            (PAYLOAD_NAME, self.payload),
            (CHUNKS_NAME, self.chunk_list),
            (ENVELOPE_NAME, self.envelope),
        ):
            draft = directory / (name + ".new")
            draft.write_bytes(data)
            os.replace(draft, directory / name)

    @classmethod
    def load(cls, directory: Path) -> Release:
        """Read what `save` wrote. Raises ReleaseError for missing files or ones that do not belong together.

        The signature is not checked here: that needs anchors (`device.trust.verify.verify_envelope`).
        """
        try:
            envelope, payload, chunk_list = (
                (directory / name).read_bytes() for name in (ENVELOPE_NAME, PAYLOAD_NAME, CHUNKS_NAME)
            )
        except OSError as error:
            raise ReleaseError(f"{directory} is no release: {error.strerror or error}") from error
        try:
            parts = suit_envelope.decode(envelope)
            content = manifest.decode(parts.manifest)
        except FirstbootError as error:
            raise ReleaseError(f"{directory / ENVELOPE_NAME}: {error}") from error
        wanted = _digests(content)
        for data, name in ((chunk_list, CHUNKS_NAME), (payload, PAYLOAD_NAME)):
            if hashlib.sha256(data).digest() not in wanted:
                raise ReleaseError(f"{directory / name} is not what {ENVELOPE_NAME} was signed for")
        return cls(envelope, payload, chunk_list, content.sequence_number)


def split_chunks(payload: bytes) -> bytes:
    """The chunk list: SHA-256 of every CHUNK_BYTES of the payload, one behind the other.

    Raises ReleaseError for an empty payload or one past MAX_PAYLOAD_BYTES.
    """
    if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
        raise ReleaseError(f"a payload has 1 to {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    return b"".join(
        hashlib.sha256(payload[at : at + CHUNK_BYTES]).digest() for at in range(0, len(payload), CHUNK_BYTES)
    )


def build_release(
    payload: bytes,
    *,
    vendor_id: bytes,
    class_id: bytes,
    sequence_number: int,
    signer: Signer | Sequence[Signer],
    version: str,
    mitigates: str,
    interrupts: str,
) -> Release:
    """A signed release of `payload` for one product class; several signers give several signatures.

    Raises ReleaseError for sizes, FirstbootError when a device would refuse the result.
    """
    signers = list(signer) if isinstance(signer, list | tuple) else [cast("Signer", signer)]
    chunk_list = split_chunks(payload)
    text = manifest.encode_text(manifest.Text(version, mitigates, interrupts))
    content = _encode_manifest(payload, chunk_list, vendor_id, class_id, sequence_number, text)
    digest = suit_envelope.encode_digest(suit_envelope.digest_of(content))
    signatures = tuple(
        cose.sign1_encode(
            digest, algorithm=each.algorithm, key_id=each.key_id, sign=each.sign, is_detached=True
        )
        for each in signers
    )
    envelope = suit_envelope.encode(
        suit_envelope.Envelope(digest, signatures, content, {registry.MEMBER_TEXT: text})
    )
    for each in signers:
        _verify_as_device(envelope, vendor_id, class_id, each)
    return Release(envelope, payload, chunk_list, sequence_number)


def _encode_manifest(
    payload: bytes, chunk_list: bytes, vendor_id: bytes, class_id: bytes, sequence_number: int, text: bytes
) -> bytes:
    """The manifest of docs/design.md, Release: both components, each named, fetched and matched."""
    shared: list[tuple[int, object]] = []
    install: list[tuple[int, object]] = []
    for index, data in enumerate((chunk_list, payload)):
        digest = hashlib.sha256(data).digest()
        shared += [
            (registry.DIRECTIVE_SET_COMPONENT_INDEX, index),
            commands.encode_parameters(
                {
                    registry.PARAMETER_VENDOR_IDENTIFIER: vendor_id,
                    registry.PARAMETER_CLASS_IDENTIFIER: class_id,
                    registry.PARAMETER_IMAGE_DIGEST: digest,
                    registry.PARAMETER_IMAGE_SIZE: len(data),
                }
            ),
            (registry.CONDITION_VENDOR_IDENTIFIER, registry.REPORT_ALL),
            (registry.CONDITION_CLASS_IDENTIFIER, registry.REPORT_ALL),
        ]
        install += [
            (registry.DIRECTIVE_SET_COMPONENT_INDEX, index),
            commands.encode_parameters({registry.PARAMETER_URI: object_uri(digest)}),
            (registry.DIRECTIVE_FETCH, registry.REPORT_FAILURE),
            (registry.CONDITION_IMAGE_MATCH, registry.REPORT_ALL),
        ]
    return manifest.encode(
        sequence_number=sequence_number,
        components=COMPONENTS,
        shared=commands.encode(shared),
        sequences={registry.MEMBER_INSTALL: commands.encode(install)},
        severed={registry.MEMBER_TEXT: suit_envelope.digest_of(text)},
    )


def anchors_of(vendor_id: bytes, class_id: bytes, signer: Signer) -> Anchors:
    """Anchors that know one author: to see a release as a unit of this class would."""
    key = Key(signer.key_id, signer.algorithm, ROLE_AUTHOR, signer.public)
    return Anchors(vendor_id, class_id, (key,), 0, 0, NO_RULES)


def _verify_as_device(envelope: bytes, vendor_id: bytes, class_id: bytes, signer: Signer) -> VerifiedManifest:
    if len(envelope) > ENVELOPE_BYTES:
        raise ReleaseError(f"the envelope has {len(envelope)} bytes, a device takes {ENVELOPE_BYTES}")
    return verify_envelope(envelope, anchors_of(vendor_id, class_id, signer))


def _digests(content: manifest.Manifest) -> set[bytes]:
    """Every image digest that the manifest names."""
    found: set[bytes] = set()
    for _command, argument in content.shared:
        if isinstance(argument, dict) and registry.PARAMETER_IMAGE_DIGEST in argument:
            found.add(argument[registry.PARAMETER_IMAGE_DIGEST])
    return found

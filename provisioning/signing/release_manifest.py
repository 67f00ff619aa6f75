"""The SUIT manifest of a release (docs/design.md, Release): every component named, fetched and matched.

With a delta the firmware has two ways, in a try-each: while the running firmware matches the release that the patch was
made from, list and patch are fetched and matched, the patch is copied into the firmware, which is then matched; else
the full payload, as without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from device.suit import commands, manifest, registry
from device.suit import envelope as suit_envelope
from device.trust.profile import COMPONENTS, DELTA_COMPONENTS, FIRMWARE, object_uri
from provisioning.signing.delta import Delta
from provisioning.signing.payload import Payload

Command = tuple[int, object]


def encode_manifest(
    firmware: Payload,
    delta: Delta | None,
    *,
    vendor_id: bytes,
    class_id: bytes,
    sequence_number: int,
    text: bytes,
) -> bytes:
    """An encoded SUIT_Manifest; `text` is severed."""
    components: tuple[tuple[bytes, ...], ...] = COMPONENTS
    contents = [firmware.chunk_list, firmware.content]
    install = [*_fetched(0, firmware.chunk_list), *_fetched(FIRMWARE, firmware.content)]
    if delta is not None:
        at = len(contents)
        contents += [delta.payload.chunk_list, delta.payload.content]
        components += DELTA_COMPONENTS
        install = _two_ways(firmware, delta, at, install)
    return manifest.encode(
        sequence_number=sequence_number,
        components=components,
        shared=commands.encode(_shared(contents, vendor_id, class_id)),
        sequences={registry.MEMBER_INSTALL: commands.encode(install)},
        severed={registry.MEMBER_TEXT: suit_envelope.digest_of(text)},
    )


def _shared(contents: Sequence[bytes], vendor_id: bytes, class_id: bytes) -> list[Command]:
    """Digest and size of every component, and whose unit it is for."""
    found: list[Command] = []
    for index, content in enumerate(contents):
        values = {
            registry.PARAMETER_VENDOR_IDENTIFIER: vendor_id,
            registry.PARAMETER_CLASS_IDENTIFIER: class_id,
            **_identity(content),
        }
        found += [
            (registry.DIRECTIVE_SET_COMPONENT_INDEX, index),
            commands.encode_parameters(values),
            (registry.CONDITION_VENDOR_IDENTIFIER, registry.REPORT_ALL),
            (registry.CONDITION_CLASS_IDENTIFIER, registry.REPORT_ALL),
        ]
    return found


def _identity(content: bytes) -> dict[int, object]:
    return {
        registry.PARAMETER_IMAGE_DIGEST: hashlib.sha256(content).digest(),
        registry.PARAMETER_IMAGE_SIZE: len(content),
    }


def _fetched(index: int, content: bytes) -> list[Command]:
    """Fetch a component and match it with the digest that the shared sequence gave it."""
    uri = object_uri(hashlib.sha256(content).digest())
    return [
        (registry.DIRECTIVE_SET_COMPONENT_INDEX, index),
        commands.encode_parameters({registry.PARAMETER_URI: uri}),
        (registry.DIRECTIVE_FETCH, registry.REPORT_FAILURE),
        (registry.CONDITION_IMAGE_MATCH, registry.REPORT_ALL),
    ]


def _two_ways(firmware: Payload, delta: Delta, at: int, full: list[Command]) -> list[Command]:
    """`at`: index of the delta's chunk list; `full`: the way without it."""
    source = {
        registry.PARAMETER_IMAGE_DIGEST: delta.source.digest,
        registry.PARAMETER_IMAGE_SIZE: delta.source.size,
    }
    target = _identity(firmware.content)
    by_delta: list[Command] = [
        (registry.DIRECTIVE_SET_COMPONENT_INDEX, FIRMWARE),
        commands.encode_parameters(source),
        (registry.CONDITION_IMAGE_MATCH, registry.REPORT_FAILURE),
        *_fetched(at, delta.payload.chunk_list),
        *_fetched(at + 1, delta.payload.content),
        (registry.DIRECTIVE_SET_COMPONENT_INDEX, FIRMWARE),
        commands.encode_parameters({**target, registry.PARAMETER_SOURCE_COMPONENT: at + 1}),
        (registry.DIRECTIVE_COPY, registry.REPORT_FAILURE),
        (registry.CONDITION_IMAGE_MATCH, registry.REPORT_ALL),
    ]
    # A sequence that failed leaves its parameters: what the firmware is has to be said again.
    in_full: list[Command] = [
        (registry.DIRECTIVE_SET_COMPONENT_INDEX, FIRMWARE),
        commands.encode_parameters(target),
        *full,
    ]
    return [
        (registry.DIRECTIVE_SET_COMPONENT_INDEX, FIRMWARE),
        (registry.DIRECTIVE_TRY_EACH, [commands.encode(by_delta), commands.encode(in_full)]),
    ]

"""The SUIT manifest of a release (docs/reference/releases.md): every component named, fetched and matched.

With an application set or a delta the firmware has several ways in a try-each; the last one fetches the full payload.
With a set, a unit that already runs the firmware fetches nothing for it, so a release can change only the set. With a
delta, a unit whose firmware matches the source of the patch fetches and matches list and patch, copies the patch into
the firmware, and matches the firmware.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from device.suit import commands, manifest, registry
from device.suit import envelope as suit_envelope
from device.trust.profile import APP_COMPONENTS, COMPONENTS, DELTA_COMPONENTS, FIRMWARE, object_uri
from provisioning.release.delta import Delta
from provisioning.release.payload import Payload

Command = tuple[int, object]


def encode_manifest(
    firmware: Payload,
    delta: Delta | None,
    app: Payload | None = None,
    *,
    vendor_id: bytes,
    class_id: bytes,
    sequence_number: int,
    text: bytes,
) -> bytes:
    """Return an encoded SUIT_Manifest. `text` is severed: only its digest is in the manifest."""
    components: tuple[tuple[bytes, ...], ...] = COMPONENTS
    contents = [firmware.chunk_list, firmware.content]
    in_full = [*_fetched(0, firmware.chunk_list), *_fetched(FIRMWARE, firmware.content)]
    ways: list[list[Command]] = []
    of_app: list[Command] = []
    if app is not None:
        at = len(contents)
        contents += [app.chunk_list, app.content]
        components = APP_COMPONENTS
        ways.append(_runs_already())
        of_app = [*_fetched(at, app.chunk_list), *_fetched(at + 1, app.content)]
    if delta is not None:
        at = len(contents)
        contents += [delta.payload.chunk_list, delta.payload.content]
        components += DELTA_COMPONENTS
        ways.append(_by_delta(firmware, delta, at))
    install = [*(_one_of(firmware, ways, in_full) if ways else in_full), *of_app]
    return manifest.encode(
        sequence_number=sequence_number,
        components=components,
        shared=commands.encode(_shared(contents, vendor_id, class_id)),
        sequences={registry.MEMBER_INSTALL: commands.encode(install)},
        severed={registry.MEMBER_TEXT: suit_envelope.digest_of(text)},
    )


def _shared(contents: Sequence[bytes], vendor_id: bytes, class_id: bytes) -> list[Command]:
    """Digest and size of every component, and the vendor and class conditions."""
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
    """Fetch a component and match it with its digest in the shared sequence."""
    uri = object_uri(hashlib.sha256(content).digest())
    return [
        (registry.DIRECTIVE_SET_COMPONENT_INDEX, index),
        commands.encode_parameters({registry.PARAMETER_URI: uri}),
        (registry.DIRECTIVE_FETCH, registry.REPORT_FAILURE),
        (registry.CONDITION_IMAGE_MATCH, registry.REPORT_ALL),
    ]


def _runs_already() -> list[Command]:
    """Return the commands for units with this firmware: match the digest of the shared sequence."""
    return [
        (registry.DIRECTIVE_SET_COMPONENT_INDEX, FIRMWARE),
        (registry.CONDITION_IMAGE_MATCH, registry.REPORT_FAILURE),
    ]


def _by_delta(firmware: Payload, delta: Delta, at: int) -> list[Command]:
    """`at`: index of the delta's chunk list."""
    source = {
        registry.PARAMETER_IMAGE_DIGEST: delta.source.digest,
        registry.PARAMETER_IMAGE_SIZE: delta.source.size,
    }
    target = _identity(firmware.content)
    return [
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


def _one_of(firmware: Payload, ways: list[list[Command]], in_full: list[Command]) -> list[Command]:
    """Return the first of `ways` that succeeds, else the full payload."""
    # A failed way leaves its parameters set, so the last way sets those of the firmware again.
    last: list[Command] = [
        (registry.DIRECTIVE_SET_COMPONENT_INDEX, FIRMWARE),
        commands.encode_parameters(_identity(firmware.content)),
        *in_full,
    ]
    return [
        (registry.DIRECTIVE_SET_COMPONENT_INDEX, FIRMWARE),
        (registry.DIRECTIVE_TRY_EACH, [commands.encode(way) for way in (*ways, last)]),
    ]

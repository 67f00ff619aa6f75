"""A release in the fixed form: one that `firstboot release sign` makes of firmware alone, without a delta.

It is read by the places of its parts, for a fraction of what the general machine takes (suit/envelope.py,
suit/manifest.py, suit/commands.py and profile.py). Rules:
1. Only bytes that have exactly the form, for this vendor and class, are read (codec/scanner.py). What one part
   determines in another one is compared. For all else the answer is None, and the general machine decides: this
   module refuses nothing.
2. The caller checks signature and digest between `open_envelope` and `read` (verify.py, rules 2 and 3).

The general machine is the reference: tests/property/test_fixed_form_properties.py compares the answers.
"""

from collections import namedtuple

from device.codec import cbor
from device.compat import const, decode_utf8
from device.errors import LimitError, SuitError, UnsupportedError
from device.limits import ENVELOPE_BYTES
from device.suit import envelope, registry
from device.trust.profile import Target, check_sizes

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.suit.envelope import Envelope
    from device.trust.anchors import Anchors

# What the general machine finds in such a release. `text`: its encoded texts, a memoryview.
Release = namedtuple("Release", ("sequence_number", "chunks", "firmware", "text", "reference_uri"))

_UINT = const(0)  # parts that are found, see codec/scanner.py
_BYTES = const(2)
_SHA256 = const(32)  # so many bytes
_URI = const(66)

# Tag 107, a map of three members: authentication wrapper, manifest, text.
_ENVELOPE = (b"\xd8\x6b\xa3\x02", _BYTES, b"\x03", _BYTES, b"\x17", _BYTES)
# SUIT_Digest and one signature, each in a byte string.
_WRAPPER = (b"\x82\x58\x24\x82\x2f\x58\x20", _SHA256, _BYTES)
_DIGEST_HEAD = const(4)  # bytes of SUIT_Digest before its SHA-256
# A map of five members: version 1, sequence number, common, install, digest of the text.
_MANIFEST = (b"\xa5\x01\x01\x02", _UINT, b"\x03", _BYTES, b"\x14", _BYTES, b"\x17\x82\x2f\x58\x20", _SHA256)
# The components, and the shared sequence.
_COMMON = (b"\xa2\x02\x82\x81\x46chunks\x81\x48firmware\x04", _BYTES)
# The shared sequence: eight commands, four for each component. Index 0; parameters: vendor identifier,
_SHARED = b"\x90\x0c\x00\x14\xa4\x01\x50"
_CLASS = b"\x02\x50"  # class identifier,
_IMAGE = (b"\x03\x58\x24\x82\x2f\x58\x20", _SHA256, b"\x0e", _UINT)  # image digest, image size;
_SHARED_NEXT = (
    b"\x01\x0f\x02\x0f\x0c\x01\x14\xa4\x01\x50"  # conditions on vendor and class; the same for index 1
)
_SHARED_END = b"\x01\x0f\x02\x0f"
# The install sequence, with four commands for each component too. Index, parameter: URI; fetch, image match.
_INSTALL = (
    b"\x90\x0c\x00\x14\xa1\x15\x78\x42",
    _URI,
    b"\x15\x02\x03\x0f\x0c\x01\x14\xa1\x15\x78\x42",
    _URI,
    b"\x15\x02\x03\x0f",
)


def open_envelope(data: bytes) -> "Envelope | None":
    """Return the parts of an envelope, all but the digest as memoryviews; None for another form.

    Nothing is trusted yet. Raises what envelope.decode raises for the authentication wrapper.
    """
    if not isinstance(data, bytes) or len(data) > ENVELOPE_BYTES:
        return None  # what could change is copied by the general machine
    signatures: "tuple[bytes | memoryview, ...]"
    found = cbor.scan(data, 0, len(data), _ENVELOPE)
    if found is None:
        return None
    start, end, manifest, manifest_end, text, text_end = found
    whole = memoryview(data)
    found = cbor.scan(data, start, end, _WRAPPER)
    if found is None:
        digest, signatures = envelope.decode_authentication(data[start:end])
    else:
        at, start, end = found
        digest = data[at - _DIGEST_HEAD : at + _SHA256]
        signatures = (whole[start:end],)
    beside = {registry.MEMBER_TEXT: whole[text:text_end]}
    return envelope.Envelope(digest, signatures, whole[manifest:manifest_end], beside)


def read(parts: "Envelope", anchors: "Anchors") -> "Release | None":
    """Return the release for this vendor and class in an envelope whose signature and digest the caller has checked.

    None for another form, and for a release that the general machine refuses.
    """
    manifest = parts.manifest
    found = cbor.scan(manifest, 0, len(manifest), _MANIFEST) if isinstance(manifest, memoryview) else None
    if found is None:
        return None
    number, common, common_end, install, install_end, digest = found
    text = parts.severed[registry.MEMBER_TEXT]
    if manifest[digest:] != envelope.digest_of(text):
        return None
    images = _images(manifest, common, common_end, anchors)
    uris = cbor.scan(manifest, install, install_end, _INSTALL)
    if images is None or uris is None:
        return None
    try:
        chunks = _target(manifest, images[0], images[1], uris[0])
        firmware = _target(manifest, images[2], images[3], uris[1])
        check_sizes(chunks, firmware)
    except (ValueError, LimitError, SuitError, UnsupportedError):
        return None
    return Release(number, chunks, firmware, text, None)


def _images(manifest: memoryview, start: int, end: int, anchors: "Anchors") -> "tuple[int, ...] | None":
    """Return the places of the digests and the sizes of chunk list and firmware, from the common part."""
    found = cbor.scan(manifest, start, end, _COMMON)
    if found is None:
        return None
    image = (anchors.vendor_id, _CLASS, anchors.class_id) + _IMAGE
    form = (_SHARED,) + image + (_SHARED_NEXT,) + image + (_SHARED_END,)
    images: "tuple[int, ...] | None" = cbor.scan(manifest, found[0], found[1], form)
    return images


def _target(manifest: memoryview, digest: int, size: int, uri: int) -> Target:
    """Raises ValueError for a URI that is not UTF-8."""
    text = decode_utf8(manifest[uri : uri + _URI])
    return Target(bytes(manifest[digest : digest + _SHA256]), size, text)

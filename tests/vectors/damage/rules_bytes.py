"""Damage to bytes: removed, changed, inserted; and everything that deterministic CBOR forbids, at every level."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import forge
from cborlib import Tag, enc, head, misencodings
from forge import AUTHOR, TEXT

Case = tuple[str, bytes, str]  # name, envelope, the refusal it must get


def truncations(good: bytes) -> Iterator[Case]:
    """Yield envelopes that end early."""
    for length in range(len(good)):
        yield f"truncated-{length}", good[:length], "cbor"


def extensions(good: bytes) -> Iterator[Case]:
    """Yield envelopes with bytes after them, before them, or in their heads."""
    for extra in (b"\x00", b"\xff", b"\xf6", b"\x40", good, b"\x00" * 64):
        yield f"appended-{len(extra)}-{extra[0]}", good + extra, "cbor"
    for size in (8193, 8300):
        yield f"size-{size}", good + bytes(size - len(good)), "limit"


def flips(good: bytes) -> Iterator[Case]:
    """Yield envelopes with one changed bit in a known region: signature, signed digest, manifest, severed text."""
    content = enc(forge.members())
    value = forge.digest(content)
    signature = forge.sign1(value, AUTHOR)[-64:]
    for region, data, reason in (
        ("signature", signature, "signature"),
        ("signed-digest", value[-32:], "signature"),
        ("kid", b"author", "signature"),
        ("manifest", content, "digest-mismatch"),
        ("text", TEXT, "digest-mismatch"),
    ):
        start = good.index(data)
        for offset in range(len(data)):
            damaged = bytearray(good)
            damaged[start + offset] ^= 1 << offset % 8
            yield f"flip-{region}-{offset}", bytes(damaged), reason


def encodings(good: bytes) -> Iterator[Case]:
    """Yield every forbidden encoding of every item, outside and inside the signature."""
    for name, data in misencodings(good):
        yield f"envelope-{name}", data, "cbor"
    content = enc(forge.members())
    value = forge.digest(content)
    message = forge.sign1(value, AUTHOR)
    yield from _nested("wrapper", enc([value, message]), lambda data: _wrapped(data, content))
    yield from _nested("digest", value, lambda data: _wrapped(enc([data, message]), content))
    yield from _nested("cose", message, lambda data: forge.envelope(content, [data]))
    yield from _nested(
        "protected",
        enc({1: -9}),
        lambda data: forge.envelope(content, [enc(Tag(18, [data, {4: b"author"}, None, message[-64:]]))]),
    )
    yield from _nested("manifest", content, forge.envelope)
    yield from _nested("common", forge.common(), lambda data: forge.envelope(forge.members(m3=data)))
    yield from _nested(
        "shared", enc(forge.shared()), lambda data: forge.envelope(forge.members(m3=forge.common(data)))
    )
    yield from _nested("install", enc(forge.install()), lambda data: forge.envelope(forge.members(m20=data)))
    yield from _nested("image-digest", forge.image(forge.CHUNK_DIGEST), _image_digest)


def _image_digest(data: bytes) -> bytes:
    sequence = forge.shared()
    sequence[3] = {**sequence[3], 3: data}
    return forge.envelope(forge.members(m3=forge.common(sequence)))


def _nested(name: str, data: bytes, build: Callable[[bytes], bytes]) -> Iterator[Case]:
    for damage, changed in misencodings(data):
        yield f"{name}-{damage}", build(changed), "cbor"
    for length in range(0, len(data), max(1, len(data) // 12)):
        if length or name not in {"protected"}:  # an empty protected header is well-formed: rules_cose.py
            yield f"{name}-truncated-{length}", build(data[:length]), "cbor"
    yield f"{name}-trailing", build(data + b"\x00"), "cbor"


def _wrapped(wrapper: bytes, content: bytes) -> bytes:
    return enc(Tag(107, {2: wrapper, 3: content, 23: TEXT}))


def nesting() -> Iterator[Case]:
    """Yield envelopes with a depth or a count that would exhaust a small unit."""
    for depth in (13, 64, 1000):
        yield f"depth-{depth}", b"\x81" * depth + b"\x00", "limit"
        yield f"tags-{depth}", b"\xd8\x6b" * depth + b"\x00", "limit"
    for count in (513, 4000):
        yield f"entries-{count}", enc(Tag(107, {2: b"", 3: b"", 16: b""}))[:2] + enc([0] * count), "limit"
    for claimed in (1 << 16, 1 << 32, (1 << 64) - 1):
        yield f"claims-bytes-{claimed}", b"\xd8\x6b" + _long(2, claimed), "cbor"
        yield f"claims-entries-{claimed}", b"\xd8\x6b" + _long(4, claimed), "limit"
        yield f"claims-pairs-{claimed}", b"\xd8\x6b" + _long(5, claimed), "limit"


def _long(major: int, number: int) -> bytes:
    return head(major, number)


def rules() -> Iterator[Case]:
    """Yield all damage of this file."""
    good = forge.envelope()
    for rule in (truncations, extensions, flips, encodings):
        yield from rule(good)
    yield from nesting()

"""Damage to what the author signed: envelope members, manifest, sequences, parameters; and manifests for others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import forge
from cborlib import Raw, Tag, enc
from forge import AUTHOR, CLASS, TEXT, VENDOR, members, sign1

Case = tuple[str, bytes, str]

KNOWN_COMMANDS = {1, 2, 3, 4, 5, 6, 12, 14, 15, 18, 20, 21, 22, 23, 24, 27, 31, 32}
KNOWN_PARAMETERS = {1, 2, 3, 4, 5, 12, 13, 14, 18, 21, 22, 23, 24, 27}
VALUES: tuple[tuple[str, Any], ...] = (
    ("null", None), ("true", True), ("integer", 5), ("negative", -5), ("bytes", b"\x01"), ("text", "x"),
    ("array", []), ("map", {}), ("tag", Tag(37, b"")),
)  # fmt: skip


def _outer(value: Any, tag: int = 107) -> bytes:
    return enc(Tag(tag, value))


def envelopes() -> Iterator[Case]:
    """Yield damage to members of the envelope, which is visible without a signature."""
    content = enc(members())
    digest = forge.digest(content)
    message = sign1(digest, AUTHOR)
    good = {2: enc([digest, message]), 3: content, 23: TEXT}
    for tag in (0, 18, 98, 106, 108, 1070, 55799):
        yield f"envelope-tag-{tag}", _outer(good, tag), "suit"
    yield "envelope-untagged", enc(good), "suit"
    for name, value in VALUES:
        if name != "map":
            yield f"envelope-is-{name}", _outer(value), "suit"
    for number, name in ((2, "wrapper"), (3, "manifest")):
        yield f"envelope-without-{name}", _outer({key: good[key] for key in good if key != number}), "suit"
    for number in (2, 3, 23):
        for name, value in VALUES:
            if name != "bytes":
                yield f"envelope-member-{number}-is-{name}", _outer({**good, number: value}), "suit"
    for number in (0, 1, 4, 5, 7, 8, 9, 13, 14, 15, 17, 18, 19, 21, 22, 24, 100, -1, -257):
        yield f"envelope-member-{number}", _outer({**good, number: b""}), "unsupported"
    for key in ("#firmware", "", "http://example.com/x"):
        yield f"integrated-payload-{len(key)}", _outer({**good, key: b"payload"}), "unsupported"
    yield from _wrappers(good, digest, message)


def _wrappers(good: dict[int, Any], digest: bytes, message: bytes) -> Iterator[Case]:
    for name, value in (*VALUES, ("of-digest", [digest])):
        if name != "bytes":
            yield f"wrapper-is-{name}", _outer({**good, 2: enc(value)}), "suit"
    for name, value in VALUES:
        if name != "bytes":
            yield f"wrapper-digest-is-{name}", _outer({**good, 2: enc([value, message])}), "suit"
            yield f"wrapper-signature-is-{name}", _outer({**good, 2: enc([digest, value])}), "suit"
    own = hashlib.sha256(b"x").digest()
    for name, value, reason in (
        ("empty", [], "suit"),
        ("alone", [-16], "suit"),
        ("three", [-16, own, 1], "suit"),
        ("short", [-16, own[:31]], "suit"),
        ("long", [-16, own + b"x"], "suit"),
        ("text", [-16, "x" * 32], "suit"),
        ("map", {-16: own}, "suit"),
        ("sha384", [-43, bytes(48)], "unsupported"),
        ("sha512", [-44, bytes(64)], "unsupported"),
        ("shake128", [-18, own], "unsupported"),
        ("shake256", [-45, bytes(64)], "unsupported"),
        ("sha256-64", [-15, own[:8]], "unsupported"),
        ("named", ["sha256", own], "unsupported"),
    ):
        yield f"digest-{name}", _outer({**good, 2: enc([enc(value), message])}), reason
    other = forge.digest(enc(members(m2=8)))
    yield "digest-of-another-manifest", forge.envelope(signed=other), "digest-mismatch"
    bare = enc([-16, hashlib.sha256(good[3]).digest()])
    yield "digest-without-the-head", forge.envelope(signed=bare), "digest-mismatch"


def manifests() -> Iterator[Case]:
    """Yield damage to members of the manifest, signed by its author."""
    for number in (0, 5, 6, 10, 11, 12, 13, 14, 15, 17, 18, 19, 21, 22, 24, 100, -1, -257):
        yield f"manifest-member-{number}", forge.envelope(members(**{f"m{number}": b""})), "unsupported"
    yield "manifest-member-text", forge.envelope({**members(), "x": b""}), "unsupported"
    yield from _types()
    for version in (0, 2, 3, 255):
        yield f"version-{version}", forge.envelope(members(m1=version)), "unsupported"
    for number, name in ((1, "version"), (2, "sequence-number"), (3, "common")):
        yield f"manifest-without-{name}", forge.envelope(members(**{f"m{number}": None})), "suit"
    for sequence in (0, 1, 5, 6):
        yield f"sequence-number-{sequence}", forge.envelope(members(m2=sequence)), "sequence-number"
    yield from _commons()
    yield from _severed()


def _types() -> Iterator[Case]:
    for name, value in VALUES:
        if name != "map":
            yield f"manifest-is-{name}", forge.envelope(enc(value)), "suit"
        if name not in {"integer"}:
            yield f"version-is-{name}", forge.envelope(members(m1=Raw(enc(value)))), "suit"
            yield f"sequence-number-is-{name}", forge.envelope(members(m2=Raw(enc(value)))), "suit"
        if name != "bytes":
            yield f"common-is-{name}", forge.envelope(members(m3=Raw(enc(value)))), "suit"
            for number in (7, 20) if name != "array" else (7,):
                yield (
                    f"member-{number}-is-{name}",
                    forge.envelope(members(**{f"m{number}": Raw(enc(value))})),
                    "suit",
                )
        if name != "text":
            yield f"reference-uri-is-{name}", forge.envelope(members(m4=Raw(enc(value)))), "suit"


def _commons() -> Iterator[Case]:
    inside = enc(forge.shared())
    for name, value in VALUES:
        if name != "map":
            yield f"common-holds-{name}", forge.envelope(members(m3=enc(value))), "suit"
        if name != "array":
            common = enc({2: value, 4: inside})
            yield f"components-are-{name}", forge.envelope(members(m3=common)), "suit"
            common = enc({2: [[b"chunks"], value], 4: inside})
            yield f"component-is-{name}", forge.envelope(members(m3=common)), "suit"
        if name != "bytes":
            common = enc({2: [[b"chunks"], [value]], 4: inside})
            yield f"component-part-is-{name}", forge.envelope(members(m3=common)), "suit"
            common = enc({2: [[b"chunks"], [b"firmware"]], 4: value})
            yield f"shared-is-{name}", forge.envelope(members(m3=common)), "suit"
    for number in (0, 1, 3, 5, 6, 7, -1):
        common = enc({2: [[b"chunks"], [b"firmware"]], 4: inside, number: b""})
        yield f"common-member-{number}", forge.envelope(members(m3=common)), "unsupported"
    yield "components-missing", forge.envelope(members(m3=enc({4: inside}))), "suit"
    yield "components-empty", forge.envelope(members(m3=forge.common(components=[]))), "suit"
    twice = [[b"chunks"], [b"firmware"], [b"chunks"]]
    yield "component-twice", forge.envelope(members(m3=forge.common(components=twice))), "suit"
    many = [[b"%d" % number] for number in range(17)]
    yield "components-17", forge.envelope(members(m3=forge.common(components=many))), "limit"


def _severed() -> Iterator[Case]:
    sequence = enc(forge.install())
    outside = members(m20=Raw(forge.digest(sequence)))
    for name, beside in (
        ("install-changed", sequence + b"\x00"),
        ("install-empty", b""),
        ("install-is-text", TEXT),
    ):
        yield f"severed-{name}", forge.envelope(outside, severed={20: beside, 23: TEXT}), "digest-mismatch"
    yield "severed-text-changed", forge.envelope(severed={23: TEXT + b"\x00"}), "digest-mismatch"
    yield "severed-without-digest", forge.envelope(severed={23: TEXT, 20: sequence}), "suit"
    yield "severed-fetch-without-digest", forge.envelope(severed={23: TEXT, 16: sequence}), "suit"
    yield "text-without-digest", forge.envelope(members(m23=None)), "suit"
    for name, value in (("short", [-16, b"x"]), ("empty", []), ("three", [-16, bytes(32), 1])):
        yield f"severed-digest-{name}", forge.envelope(members(m23=Raw(enc(value)))), "suit"
    yield "severed-digest-sha512", forge.envelope(members(m23=Raw(enc([-44, bytes(64)])))), "unsupported"


def _with(where: str, extra: list[Any]) -> bytes:
    """Return the good envelope with more commands at the end of a sequence."""
    if where == "shared":
        return forge.envelope(members(m3=forge.common(forge.shared() + extra)))
    if where == "validate":
        return forge.envelope(members(m7=enc([12, 0, *extra])))
    return forge.envelope(members(m20=enc(forge.install() + extra)))


def sequences() -> Iterator[Case]:
    """Yield wrong commands and arguments in every sequence that a unit runs."""
    for where in ("shared", "install", "validate"):
        for number in (*range(41), 100, 255, -1, -2, -256, -257, 1 << 32):
            if number not in KNOWN_COMMANDS:
                yield f"{where}-command-{number}", _with(where, [number, 15]), "unsupported"
        yield from _arguments(where)
        for policy in (16, 255, -1):
            yield f"{where}-policy-{policy}", _with(where, [1, policy]), "suit"
        for index in (2, 3, 255, 1 << 32, [0, 2], [], [True], [[0]], [-1], False):
            yield f"{where}-index-{index}", _with(where, [12, index]), "suit"
        yield f"{where}-odd", _with(where, [12]), "suit"
        yield f"{where}-abort", _with(where, [14, 15]), "condition"
        yield from _structured(where)
    for number in (18, 21, 22, 23, 31):
        yield f"shared-directive-{number}", _with("shared", [number, 15]), "unsupported"
    for name, value in (("empty", []), ("map", {}), ("odd", [12])):
        yield f"shared-is-sequence-{name}", forge.envelope(members(m3=forge.common(enc(value)))), "suit"
        yield f"install-is-sequence-{name}", forge.envelope(members(m20=enc(value))), "suit"


def _arguments(where: str) -> Iterator[Case]:
    for name, value in VALUES:
        if name not in {"integer", "negative"}:
            yield f"{where}-command-is-{name}", _with(where, [Raw(enc(value)), 15]), "suit"
        for number in (1, 2, 3, 14):
            if name != "integer":
                yield f"{where}-{number}-policy-{name}", _with(where, [number, Raw(enc(value))]), "suit"
        if name not in {"integer", "true"}:
            yield f"{where}-index-{name}", _with(where, [12, Raw(enc(value))]), "suit"
        for number in (15, 32):
            yield f"{where}-{number}-of-{name}", _with(where, [number, Raw(enc(value))]), "suit"
        yield f"{where}-parameters-{name}", _with(where, [20, Raw(enc(value))]), "suit"


def _structured(where: str) -> Iterator[Case]:
    good, failing, odd = enc([12, 0]), enc([14, 15]), enc([12])
    for name, value, reason in (
        ("one", [good], "suit"),
        ("one-and-nil", [good, None], "suit"),
        ("nil-first", [None, good, good], "suit"),
        ("nil-twice", [good, good, None, None], "suit"),
        ("all-fail", [failing, failing], "condition"),
        ("second-unknown", [good, enc([99, 15])], "unsupported"),
        ("second-odd", [good, odd], "suit"),
        ("second-not-cbor", [good, b"\xff"], "cbor"),
        ("not-soft", [enc([20, {13: False}, 14, 15]), good], "condition"),
    ):
        yield f"{where}-try-each-{name}", _with(where, [15, value]), reason
    for name, data, reason in (
        ("fails", failing, "condition"),
        ("odd", odd, "suit"),
        ("empty", enc([]), "suit"),
        ("not-cbor", b"\x1c", "cbor"),
        ("unknown", enc([29, 15]), "unsupported"),
        ("no-such-component", enc([12, 9]), "suit"),
    ):
        yield f"{where}-run-{name}", _with(where, [32, data]), reason
    deep = good
    for _ in range(5):
        deep = enc([32, deep])
    yield f"{where}-nested-5", _with(where, [32, deep]), "limit"
    steps = enc([12, 0] * 200)
    yield f"{where}-600-commands", _with(where, [32, steps] * 3), "limit"
    wide = enc([20, {14: 5}] * 100)
    for _ in range(3):
        wide = enc([32, wide, 32, wide])
    yield f"{where}-multiplied", _with(where, [12, True, 32, wide]), "limit"


def parameters() -> Iterator[Case]:
    """Yield parameters that do not exist, have the wrong type, are missing, or are in the wrong place."""
    for where in ("shared", "install"):
        for number in (*range(33), 99, 255, -1, -256, -300):
            if number not in KNOWN_PARAMETERS:
                yield f"{where}-parameter-{number}", _with(where, [20, {number: 0}]), "unsupported"
        for number in sorted(KNOWN_PARAMETERS):
            for name, value in VALUES:
                reason = _wrong_type(number, name)
                if reason is not None:
                    yield f"{where}-parameter-{number}-is-{name}", _with(where, [20, {number: value}]), reason
        for number in (1, 2, 24):
            for length in (0, 15, 17, 32):
                yield f"{where}-id-{number}-{length}", _with(where, [20, {number: bytes(length)}]), "suit"
        yield f"{where}-vendor-pen", _with(where, [20, {1: Tag(112, b"\x01")}]), "unsupported"
        yield f"{where}-soft-failure", _with(where, [20, {13: True}]), "suit"
        yield f"{where}-loose-order", _with(where, [20, {12: False}]), "unsupported"
        for name, value, reason in (
            ("sha512", [-44, bytes(64)], "unsupported"),
            ("short", [-16, bytes(31)], "suit"),
            ("three", [-16, bytes(32), 0], "suit"),
        ):
            yield f"{where}-image-digest-{name}", _with(where, [20, {3: enc(value)}]), reason


def _wrong_type(number: int, name: str) -> str | None:
    """Return the refusal of a value of this type, None if it is good or another rule covers it."""
    kinds = {
        21: {"text"},
        12: {"true"},
        13: {"true"},
        27: {"integer", "negative"},
        18: {"bytes"},
        23: {"bytes"},
    }
    unsigned = {4, 5, 14, 22}
    if name in kinds.get(number, {"integer"} if number in unsigned else set()):
        return None
    if number == 3 and name == "bytes":
        return "suit"  # b"\x01" is CBOR, but not a digest
    if number == 1 and name == "tag":
        return "unsupported"
    return "unsupported" if number in {1, 2, 24} and name == "tag" else "suit"


def identities() -> Iterator[Case]:
    """Yield manifests for other recipients, or without a recipient."""
    for position in range(16):
        vendor, klass = bytearray(VENDOR), bytearray(CLASS)
        vendor[position] ^= 0x10
        klass[position] ^= 0x10
        for name, sequence, reason in (
            (f"vendor-{position}", forge.shared(vendor=bytes(vendor)), "vendor-mismatch"),
            (f"class-{position}", forge.shared(klass=bytes(klass)), "class-mismatch"),
        ):
            yield name, forge.envelope(members(m3=forge.common(sequence))), reason
    yield (
        "vendor-and-class-exchanged",
        forge.envelope(members(m3=forge.common(forge.shared(vendor=CLASS, klass=VENDOR)))),
        "vendor-mismatch",
    )
    for left_out in ((1, 15), (2, 15)):
        sequence = forge.shared()
        pairs = list(zip(sequence[::2], sequence[1::2], strict=True))
        kept = [one for pair in pairs if pair != left_out for one in pair]
        yield f"without-condition-{left_out[0]}", forge.envelope(members(m3=forge.common(kept))), "suit"
    for number in (1, 2, 3, 14):
        sequence = forge.shared()
        for at in (3, 11):
            sequence[at] = {key: value for key, value in sequence[at].items() if key != number}
        reason = "suit"
        if number != 14:  # an image match may have no size; a fetched payload has one
            yield f"without-parameter-{number}", forge.envelope(members(m3=forge.common(sequence))), reason
    yield "past-its-use", _with("install", [20, {4: 1}, 4, 15]), "condition"


def rules() -> Iterator[tuple[str, bytes, str]]:
    """Yield all damage of this file."""
    for rule in (envelopes, manifests, sequences, parameters, identities):
        yield from rule()

"""Damage to signatures: headers, tags, payloads, algorithms, keys; and signatures that do not satisfy a policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import forge
from cborlib import Raw, Tag, enc
from forge import AUTHOR, N, ed, hss, p256, sig_structure, sign1, sign_many

PolicyCase = tuple[str, bytes, str, str]  # name, envelope, refusal, name of the anchors


def _message(
    protected: Any = None,
    unprotected: Any = None,
    payload: Any = None,
    signature: Any = None,
    tag: int = 18,
) -> Any:
    """Return a function of the digest: a COSE_Sign1 with replaced parts, signed over the protected bytes it carries."""

    def make(digest: bytes) -> bytes:
        head = enc({1: -9}) if protected is None else protected
        carried = head if isinstance(head, bytes) else b""
        made = AUTHOR.sign(sig_structure(carried, digest)) if signature is None else signature
        return enc(Tag(tag, [head, {4: b"author"} if unprotected is None else unprotected, payload, made]))

    return make


def _structures() -> Iterator[tuple[str, Any, str]]:
    good = _message()
    for tag, name in (
        (16, "encrypt0"),
        (17, "mac0"),
        (96, "encrypt"),
        (97, "mac"),
        (19, "19"),
        (61, "cwt"),
        (107, "suit"),
    ):
        yield f"tag-{name}", _message(tag=tag), "cose"
    yield "untagged", lambda digest: good(digest)[1:], "cose"
    yield "tagged-twice", lambda digest: b"\xd2" + good(digest), "cose"
    yield "tag-of-sign", _message(tag=98), "cose"
    for name, value in (
        ("integer", 5),
        ("text", "x"),
        ("null", None),
        ("map", {1: 2}),
        ("empty", []),
        ("bytes", b""),
    ):
        yield f"message-{name}", (lambda digest, value=value: enc(value)), "cose"
        yield f"tagged-{name}", (lambda digest, value=value: enc(Tag(18, value))), "cose"
    yield from _shapes()


def _shapes() -> Iterator[tuple[str, Any, str]]:
    for count in (1, 2, 3, 5, 6):
        yield f"parts-{count}", (lambda digest, count=count: enc(Tag(18, [b""] * count))), "cose"
    for name, value in (("null", None), ("map", {1: -9}), ("text", "x"), ("integer", 1), ("array", [])):
        yield f"protected-{name}", _message(protected=Raw(enc(value))), "cose"
    for name, value in (("null", None), ("bytes", b""), ("array", []), ("integer", 4)):
        yield f"unprotected-{name}", _message(unprotected=Raw(enc(value))), "cose"
    for name, value in (("array", []), ("integer", -9), ("text", "x")):
        yield f"protected-holds-{name}", _message(protected=enc(value)), "cose"
    for name, value in (
        ("empty", b""),
        ("null", None),
        ("text", "s" * 64),
        ("array", [bytes(64)]),
        ("true", True),
    ):
        yield f"signature-{name}", _message(signature=Raw(enc(value))), "cose"
    for name, value in (("text", "x"), ("integer", 1), ("array", []), ("false", False)):
        yield f"payload-{name}", _message(payload=value), "cose"


def _headers() -> Iterator[tuple[str, Any, str]]:
    yield "no-alg", _message(protected=b""), "cose"
    yield "no-alg-in-an-empty-map", _message(protected=b"\xa0"), "cose"
    yield "alg-unprotected", _message(protected=b"", unprotected={1: -9, 4: b"author"}), "cose"
    yield "alg-in-both", _message(unprotected={1: -9, 4: b"author"}), "cose"
    for value in ("ES256", b"\x09", None, True, [], {}):
        yield f"alg-is-{type(value).__name__}", _message(protected=enc({1: value})), "cose"
    for value in ([], [1], [4], [99], 5):
        yield f"crit-{value}", _message(protected=enc({1: -9, 2: value})), "cose"
    for label in (5, 6, 7, 10, 11, 15, 33, 34, 99, -1, -70000, "x"):
        yield f"header-{label}-protected", _message(protected=enc({1: -9, label: b"x"})), "cose"
        yield f"header-{label}-unprotected", _message(unprotected={4: b"author", label: b"x"}), "cose"
    for label, value in ((2, [4]), (3, "x"), (16, "x")):
        yield f"header-{label}-unprotected", _message(unprotected={4: b"author", label: value}), "cose"
    for value in (5, "author", None, [b"author"], True):
        yield f"kid-is-{type(value).__name__}", _message(unprotected={4: value}), "cose"
    yield "kid-in-both", _message(protected=enc({1: -9, 4: b"author"})), "cose"
    for value in (b"x", [], None, True):
        yield f"typ-is-{type(value).__name__}", _message(protected=enc({1: -9, 16: value})), "cose"
    for algorithm in (-35, -36, -37, -47, -257, -19, -8, -46, -48, -49, -50, 5, 1, 0, -999, -65535):
        yield f"alg-{algorithm}", _message(protected=enc({1: algorithm})), "algorithm"


def _payloads() -> Iterator[tuple[str, Any, str]]:
    yield "payload-attached", (lambda digest: _message(payload=digest)(digest)), "cose"
    yield "payload-empty", _message(payload=b""), "cose"
    yield "payload-other", _message(payload=b"other"), "cose"


def _signatures() -> Iterator[tuple[str, Any, str]]:
    def over(structure: Any) -> Any:
        protected = enc({1: -9})
        return lambda digest: _message(signature=AUTHOR.sign(structure(protected, digest)))(digest)

    yield "over-no-header", over(lambda protected, digest: sig_structure(b"", digest)), "signature"
    yield (
        "over-other-aad",
        over(lambda protected, digest: sig_structure(protected, digest, b"x")),
        "signature",
    )
    yield "over-the-digest-alone", over(lambda protected, digest: digest), "signature"
    yield (
        "over-context-signature",
        over(lambda protected, digest: sig_structure(protected, digest, signer=b"")),
        "signature",
    )
    yield (
        "over-context-mac",
        over(lambda protected, digest: enc(["MAC0", protected, b"", digest])),
        "signature",
    )
    yield (
        "over-the-manifest",
        over(lambda protected, digest: sig_structure(protected, enc(forge.members()))),
        "signature",
    )
    yield from _scalars()
    yield "swapped-halves", _swapped, "signature"
    other = p256("another")
    yield "another-key-under-our-name", lambda digest: sign1(digest, other, kid=b"author"), "signature"
    yield "another-key", lambda digest: sign1(digest, other), "signature"
    for kid in (b"", b"Author", b"author\x00", b"x" * 33, b"x" * 200):
        yield (
            f"kid-{kid[:8].hex()}-{len(kid)}",
            (lambda digest, kid=kid: sign1(digest, AUTHOR, kid=kid)),
            "signature",
        )


def _scalars() -> Iterator[tuple[str, Any, str]]:
    for length in (1, 32, 63, 65, 70, 71, 72, 96, 128):
        yield f"length-{length}", _message(signature=b"\x01" * length), "signature"
    for name, r, s in (
        ("zeros", 0, 0),
        ("r-zero", 0, 1),
        ("s-zero", 1, 0),
        ("ones", 1, 1),
        ("r-is-n", N, 1),
        ("s-is-n", 1, N),
        ("all-ones", (1 << 256) - 1, (1 << 256) - 1),
    ):
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        yield f"scalars-{name}", _message(signature=signature), "signature"


def _swapped(digest: bytes) -> bytes:
    message = sign1(digest, AUTHOR)
    return message[:-64] + message[-32:] + message[-64:-32]


def _sign_messages() -> Iterator[tuple[str, Any, str]]:
    def sign(parts: Any, body: Any = b"", unprotected: Any = None) -> Any:
        return lambda digest: enc(Tag(98, [body, unprotected or {}, None, parts]))

    for name, parts in (
        ("none", []),
        ("null", None),
        ("bytes", b""),
        ("map", {}),
        ("of-integers", [1]),
        ("of-two", [[b"", {}]]),
        ("of-four", [[b"", {}, b"x", b"x"]]),
        ("without-alg", [[b"", {}, bytes(64)]]),
        ("typ-of-the-body", [[enc({1: -9, 16: "x"}), {}, bytes(64)]]),
        ("no-signature", [[enc({1: -9}), {}, b""]]),
    ):
        yield f"signers-{name}", sign(parts), "cose"
    signer = [[enc({1: -9}), {4: b"author"}, bytes(64)]]
    yield "signers-alg-in-the-body", sign(signer, enc({1: -9})), "cose"
    yield "signers-kid-in-the-body", sign(signer, b"", {4: b"author"}), "cose"
    yield "signers-five", sign(signer * 5), "limit"
    yield "signers-wrong", sign(signer), "signature"
    yield "signers-none-known", (lambda digest: sign_many(digest, [p256("x"), p256("y")])), "signature"


def _pure() -> Iterator[tuple[str, bytes, str]]:
    for rule in (_structures, _headers, _payloads, _signatures, _sign_messages):
        for name, make, reason in rule():
            yield f"cose-{name}", forge.envelope(signatures=[make]), reason
            if reason in {
                "cose",
                "limit",
            }:  # the structure of every signature is checked, after a good one too
                both = [lambda digest: sign1(digest, AUTHOR), make]
                yield f"cose-second-{name}", forge.envelope(signatures=both), reason
    good = lambda digest: sign1(digest, AUTHOR)  # noqa: E731
    yield "cose-five-signatures", forge.envelope(signatures=[good] * 5), "limit"
    three = lambda digest: sign_many(digest, [AUTHOR] * 3)  # noqa: E731
    yield "cose-six-signers-in-two", forge.envelope(signatures=[three, three]), "limit"


def _policies() -> Iterator[PolicyCase]:
    one, two, three, post = p256("one"), p256("two"), p256("three"), hss("post")
    by = lambda key, **how: lambda digest: sign1(digest, key, **how)  # noqa: E731
    for name, signatures in (
        ("one-of-two", [by(one)]),
        ("same-twice", [by(one), by(one)]),
        ("es256-and-esp256-of-one", [by(one), by(one, algorithm=-7)]),
        ("same-in-sign-and-sign1", [by(one), lambda digest: sign_many(digest, [one])]),
        ("same-twice-in-sign", [lambda digest: sign_many(digest, [one, one])]),
        ("unknown-second", [by(one), by(p256("unknown"))]),
        ("forged-second", [by(one), by(three, kid=b"two")]),
        ("one-under-two-names", [by(one), by(one, kid=b"twin")]),
        ("three-times-one", [by(one)] * 3),
        ("good-one-fifth-unknown", [by(one), *[by(p256("unknown"))] * 3]),
    ):
        yield f"policy-two-{name}", forge.envelope(signatures=signatures), "signature", "two-of-three"
    for name, signatures in (
        ("p256-alone", [by(one)]),
        ("two-p256", [by(one), by(two)]),
        ("hss-alone", [by(post)]),
        ("hss-twice", [by(post), by(post)]),
        ("hss-forged", [by(one), lambda digest: _forged_hss(digest, post)]),
    ):
        yield f"policy-pq-{name}", forge.envelope(signatures=signatures), "signature", "p256-and-hss"


def _forged_hss(digest: bytes, key: Any) -> bytes:
    message = sign1(digest, key)
    return message[:-1] + bytes([message[-1] ^ 1])


def _other_algorithms() -> Iterator[PolicyCase]:
    post, edwards = hss("post"), ed("edwards")
    content = enc(forge.members())
    digest = forge.digest(content)
    for key, anchors, step in ((post, "hss", 37), (edwards, "ed25519", 1)):
        message = sign1(digest, key)
        length = len(key.sign(b""))
        start = len(message) - length
        for offset in range(0, length, step):
            damaged = bytearray(message)
            damaged[start + offset] ^= 0x40
            yield f"{anchors}-flip-{offset}", forge.envelope(content, [bytes(damaged)]), "signature", anchors
        for cut in (1, length // 2, length - 1):
            signature = message[start : start + length - cut]
            protected = enc({1: key.algorithm})
            short = enc(Tag(18, [protected, {4: key.kid}, None, signature]))
            yield f"{anchors}-cut-{cut}", forge.envelope(content, [short]), "signature", anchors
        for algorithm in (-9, -7, -46 if anchors == "ed25519" else -19, -35):
            make = lambda value, key=key, algorithm=algorithm: sign1(value, key, algorithm=algorithm)  # noqa: E731
            yield f"{anchors}-alg-{algorithm}", forge.envelope(content, [make]), "algorithm", anchors
    yield "ed25519-s-plus-l", forge.envelope(content, [_second_form(digest, edwards)]), "signature", "ed25519"
    yield "hss-other-leaf", forge.envelope(content, [_other_leaf(digest, post)]), "signature", "hss"


def _second_form(digest: bytes, key: Any) -> bytes:
    message = sign1(digest, key)
    order = (1 << 252) + 27742317777372353535851937790883648493
    s = int.from_bytes(message[-32:], "little") + order
    return message[:-32] + s.to_bytes(32, "little")


def _other_leaf(digest: bytes, key: Any) -> bytes:
    message = bytearray(sign1(digest, key))
    start = len(message) - len(key.sign(b""))
    message[start + 7] ^= 1
    return bytes(message)


def rules() -> Iterator[PolicyCase]:
    """Yield all damage of this file."""
    for name, data, reason in _pure():
        yield name, data, reason, "author"
    yield from _policies()
    yield from _other_algorithms()

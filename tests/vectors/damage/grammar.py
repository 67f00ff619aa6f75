"""The grammar of damages: every rule of this folder, and the keys that each case is checked with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import forge
import rules_bytes
import rules_cose
import rules_suit
from forge import Key, ed, hss, p256, sign1

NOW_S = 1_700_000_000  # trusted time of the recipient


@dataclass(frozen=True)
class Anchors:
    """The recipient's trust: `threshold` distinct keys of `keys`, with the COSE algorithms `required` among them."""

    keys: tuple[Key, ...]
    threshold: int = 1
    required: tuple[int, ...] = ()


@dataclass(frozen=True)
class Case:
    """One envelope and the refusal it must get; None: it must be accepted."""

    name: str
    envelope: bytes
    refuse: str | None
    anchors: str


ANCHORS = {
    "author": Anchors((forge.AUTHOR,)),
    "two-of-three": Anchors((p256("one"), p256("two"), p256("three")), 2),
    "p256-and-hss": Anchors((p256("one"), p256("two"), hss("post")), 2, (-9, -46)),
    "hss": Anchors((hss("post"),)),
    "ed25519": Anchors((ed("edwards"),)),
}


def bases() -> Iterator[Case]:
    """Return a good envelope for each set of anchors; every other case is one of these with damage."""
    for name, anchors in ANCHORS.items():
        signers = anchors.keys[: anchors.threshold] if name != "p256-and-hss" else anchors.keys[::2]
        made = [lambda digest, key=key: sign1(digest, key) for key in signers]
        yield Case(f"good-{name}", forge.envelope(signatures=made), None, name)


def damaged() -> Iterator[Case]:
    """Yield every damaged envelope: always the same ones in the same order."""
    for rules in (rules_bytes.rules(), rules_suit.rules()):
        for name, data, reason in rules:
            yield Case(name, data, reason, "author")
    for name, data, reason, anchors in rules_cose.rules():
        yield Case(name, data, reason, anchors)

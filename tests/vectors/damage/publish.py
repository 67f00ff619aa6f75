"""Writes cases.jsonl from the grammar: python tests/vectors/damage/publish.py. Nothing in it is random."""

from __future__ import annotations

import json
import uuid
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import forge
from grammar import ANCHORS, NOW_S, bases, damaged

CASES = Path(__file__).with_name("cases.jsonl")
ALGORITHMS = {-9: "esp256", -19: "ed25519", -46: "hss-lms"}
SMALLEST_MATCH = 12  # a shorter match would cost more as a patch


def patch(base: bytes, data: bytes) -> list[list[Any]]:
    """Return [offset in base, bytes to remove, hex to insert] in ascending order."""
    if base.startswith(data):
        return [[len(data), len(base) - len(data), ""]]
    found: list[list[Any]] = []
    at_base = at_data = 0
    matcher = SequenceMatcher(None, base, data, autojunk=False)
    for match in matcher.get_matching_blocks():
        if match.size < SMALLEST_MATCH and match.size:
            continue
        if match.a > at_base or match.b > at_data:
            found.append([at_base, match.a - at_base, data[at_data : match.b].hex()])
        at_base, at_data = match.a + match.size, match.b + match.size
    return found


def lines() -> list[dict[str, Any]]:
    """Yield the lines of the published file: recipient, anchors, good envelopes, damaged ones."""
    recipient = {"vendor": forge.VENDOR, "class": forge.CLASS}
    result: list[dict[str, Any]] = [
        {name: str(uuid.UUID(bytes=value)) for name, value in recipient.items()}
        | {"installed": forge.INSTALLED, "now": NOW_S}
    ]
    for name, anchors in ANCHORS.items():
        keys = [key.cose_key.hex() for key in anchors.keys]
        required = [ALGORITHMS[one] for one in anchors.required]
        result.append({"anchors": name, "keys": keys, "threshold": anchors.threshold, "require": required})
    good = {}
    for case in bases():
        good[case.anchors] = case.envelope
        result.append({"case": case.name, "anchors": case.anchors, "accept": case.envelope.hex()})
    for case in damaged():
        edits = patch(good[case.anchors], case.envelope)
        result.append({"case": case.name, "anchors": case.anchors, "refuse": case.refuse, "patch": edits})
    return result


if __name__ == "__main__":
    CASES.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines()))

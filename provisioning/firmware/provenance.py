"""Build provenance: every input of a firmware build with its SHA-256, and the tools, as an unsigned in-toto statement.

The form is that of in-toto Statement v1 with the predicate SLSA Provenance v1. It contains no date, no path and no
name of a machine, so the same inputs give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from provisioning.firmware.errors import FirmwareError

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "urn:x-firstboot:firmware-build:1"
MAX_BYTES: Final = 4_000_000


def statement(
    name: str,
    sha256: str,
    *,
    parameters: Mapping[str, Any],
    tools: Mapping[str, str],
    inputs: Mapping[str, str],
) -> dict[str, Any]:
    """Return the statement about one built file.

    `parameters`: what the caller chose. `tools`: name to version or digest. `inputs`: name to SHA-256 in hex.
    """
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": dict(parameters),
                "internalParameters": {"tools": dict(tools)},
                "resolvedDependencies": [
                    {"name": one, "digest": {"sha256": inputs[one]}} for one in sorted(inputs)
                ],
            },
            "runDetails": {"builder": {"id": f"firstboot {metadata.version('firstboot')}"}},
        },
    }


def written(document: Mapping[str, Any]) -> str:
    """Return the statement as text, the same for the same content."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def read(path: Path) -> dict[str, Any]:
    """Return the statement in a file. Raises FirmwareError if it has another form, OSError."""
    if path.stat().st_size > MAX_BYTES:
        raise FirmwareError(f"{path} has more than {MAX_BYTES} bytes. It is not a build provenance.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        inputs_of(document)
        _ = document["subject"][0]["digest"]["sha256"], variant_of(document)
        is_ours = document["predicate"]["buildDefinition"]["buildType"] == BUILD_TYPE
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        is_ours = False
    if not is_ours:
        raise FirmwareError(f"{path} is not a build provenance of this build type ({BUILD_TYPE}).")
    return dict(document)


def inputs_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return every input and tool by name."""
    definition = document["predicate"]["buildDefinition"]
    found = {one["name"]: one["digest"]["sha256"] for one in definition["resolvedDependencies"]}
    tools = definition["internalParameters"]["tools"]
    return {
        str(name): str(value) for name, value in (found | {f"tool: {k}": v for k, v in tools.items()}).items()
    }


def variant_of(document: Mapping[str, Any]) -> str:
    """Return the firmware variant that the statement is about."""
    return str(document["predicate"]["buildDefinition"]["externalParameters"]["variant"])


def board_of(document: Mapping[str, Any]) -> str | None:
    """Return the board that the statement names; None for the default emulated board's, which names none."""
    board = document["predicate"]["buildDefinition"]["externalParameters"].get("board")
    return None if board is None else str(board)


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each input that differs between two statements, in the order of the names."""
    before, now = inputs_of(expected), inputs_of(found)
    sentences = []
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            sentences.append(f"{name} is not an input here.")
        elif name not in before:
            sentences.append(f"{name} is an input here only.")
        elif before[name] != now[name]:
            sentences.append(f"{name} differs: {before[name]} there, {now[name]} here.")
    return sentences

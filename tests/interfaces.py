"""The declared inventory of interfaces (docs/interfaces.json), for the tests that scan a unit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"


def declared() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DOCS / "interfaces.json").read_text(encoding="utf-8"))[
        "interfaces"
    ]
    return found


def places(kind: str, direction: str, state: str) -> set[str]:
    """Return the places of the interfaces of a kind in a state."""
    return {
        entry["place"]
        for entry in declared()
        if (entry["kind"], entry["direction"]) == (kind, direction) and state in entry["states"]
    }


def open_ports(kind: str, state: str) -> set[int]:
    """Return the ports that are declared to be open for others."""
    return {int(place) for place in places(kind, "in", state)}


def operations(state: str) -> set[str]:
    """Return the operations of the factory port that are declared to be carried out."""
    found = [entry for entry in declared() if "operations" in entry and state in entry["states"]]
    return {name for entry in found for name in entry["operations"]}


def table_row(entry: dict[str, Any]) -> str:
    """Return one line of the table in docs/interfaces.md."""
    where = f"{entry['kind']} {entry['place']}"
    cells = (
        entry["name"],
        where,
        entry["direction"],
        ", ".join(entry["states"]),
        entry["answers"],
        entry["needs"],
    )
    return "| " + " | ".join(cells) + " |"

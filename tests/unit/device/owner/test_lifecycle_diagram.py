"""The diagram of the life cycle in the documents shows exactly the table that the device uses."""

from __future__ import annotations

import re
from pathlib import Path

from device.owner import lifecycle

DOCS = Path(__file__).resolve().parents[4] / "docs"


def test_the_diagram_in_the_documents_is_the_table_of_transitions() -> None:
    blocks = [
        block
        for path in sorted(DOCS.rglob("*.md"))
        for block in re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", path.read_text(), re.DOTALL)
        if lifecycle.FACTORY_DEFAULT.replace(" ", "_") in block
    ]
    assert len(blocks) == 1
    rows = re.findall(r"^ *(\w+) --> (\w+) : (.+)$", blocks[0], re.MULTILINE)
    shown = tuple((before.replace("_", " "), event, after.replace("_", " ")) for before, after, event in rows)
    assert shown == lifecycle.TRANSITIONS

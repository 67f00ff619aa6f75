"""The published test vectors, which lie beside the checkout: loaded, or the test is skipped aloud."""

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[5] / "shared" / "vectors"


def read(name: str) -> bytes:
    """The bytes of one file of vectors; skips the calling test or module where there is none."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"no published vectors ({name})", allow_module_level=True)
    return path.read_bytes()


def load(name: str) -> Any:
    """One file of vectors as JSON."""
    return json.loads(read(name))

"""The published test vectors, from a folder beside the checkout. Without them a test is skipped with a reason."""

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[5] / "shared" / "vectors"


def read(name: str) -> bytes:
    """Return the bytes of one file of vectors; skip the calling test or module if it is absent."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"no published vectors ({name})", allow_module_level=True)
    return path.read_bytes()


def load(name: str) -> Any:
    """Return one file of vectors as JSON."""
    return json.loads(read(name))

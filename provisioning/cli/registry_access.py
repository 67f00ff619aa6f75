"""Open an existing registry for the time of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioning.registry.registry import Registry


@contextmanager
def opened(place: str, files: Path | None) -> Iterator[Registry]:
    """The existing registry at `place`. Raises RegistryError if it is missing or cannot be used."""
    registry = Registry(place, files=files)
    try:
        yield registry
    finally:
        registry.close()

"""A release folder as a target to publish to."""

from __future__ import annotations

from pathlib import Path

from provisioning.publishing.targets import Target, store_target
from provisioning.shared_store.places import release_stores


def folder_target(path: Path) -> Target:
    """Return the folder as a target, as `--store` names it."""
    return store_target(str(path), release_stores(str(path)))

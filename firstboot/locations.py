"""Where this installation has its data, and where it writes."""

from __future__ import annotations

import os
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_chosen: Path | None = None  # a tree of firstboot.device_code


def is_checkout() -> bool:
    """Return whether this code runs from a checkout and not from a wheel."""
    return not (_HERE / "_source").is_dir()


def own_source_root() -> Path:
    """Return the folder with this installation's `device/` and `examples/`."""
    return _HERE.parent if is_checkout() else _HERE / "_source"


def source_root() -> Path:
    """Return the folder with `device/` and `examples/` as the firmware's build reads them."""
    return own_source_root() if _chosen is None else _chosen


def use_source_root(root: Path) -> None:
    """Let source_root() return `root` from now on."""
    global _chosen  # noqa: PLW0603 - one choice for each process, made by firstboot.device_code
    _chosen = root


def cache_folder() -> Path:
    """Return $FIRSTBOOT_CACHE, `.cache` of a checkout, or the user's cache folder of this system."""
    named = os.environ.get("FIRSTBOOT_CACHE", "")
    if named:
        return Path(named).absolute()
    if is_checkout():
        return _HERE.parent / ".cache"
    from platformdirs import user_cache_path

    return user_cache_path("firstboot", appauthor=False)

"""A world whose unit on the emulated board was provisioned and shows its pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulator.story.runner import wait_until
from simulator.story.world import World

PAGES_S = 60


@contextmanager
def provisioned(folder: Path) -> Iterator[World]:
    """Yield the world; its files are in `folder`. Skips the test if the board cannot be built or run here."""
    for tool in ("qemu-system-arm", "arm-none-eabi-gcc"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    with World("qemu", ("mqtt",), folder, lambda _: None) as made:
        made.build()
        made.provision()
        wait_until("the pages", lambda: made.owner.request("GET", "/").status == 200 or None, PAGES_S)
        yield made

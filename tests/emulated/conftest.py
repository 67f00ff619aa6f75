"""Fixtures of the emulated tests."""

from __future__ import annotations

import shutil

import pytest

from tests.emulated.boot_support import bench, board

__all__ = ["bench", "board", "on"]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sim", id="simulator"),
        pytest.param("qemu", id="qemu", marks=pytest.mark.emulated),
    ],
)
def on(request: pytest.FixtureRequest) -> str:
    """Return where the unit of a test runs: "sim", then "qemu"."""
    if request.param == "qemu" and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")
    return str(request.param)

"""Fixtures of the emulated tests."""

from tests.emulated.boot_support import bench, board

__all__ = ["bench", "board"]

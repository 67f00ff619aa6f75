"""Collect and run dual tests without pytest: functions without arguments, as the board runs them.

It starts in a fraction of pytest's time, and a change outside of functions needs such a start.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

FOLDER = "tests/dual/"


class PlainTest:
    """One test function. `nodeid`: its name as pytest writes it."""

    def __init__(self, path: str, function: Callable[[], object]) -> None:
        self.nodeid = f"{path}::{function.__name__}"
        self._function = function

    def fails(self) -> bool:
        """Run the test. Returns whether it raised anything."""
        try:
            self._function()
        except BaseException:  # a changed module may raise anything
            return True
        return False


def are_plain(paths: Sequence[str]) -> bool:
    """Return whether every one of these tests is a whole file of dual tests."""
    return all(path.startswith(FOLDER) and "::" not in path for path in paths)


def collect(paths: Sequence[str]) -> list[PlainTest]:
    """Import the files, relative to the working directory, and return their tests. Raises what an import raises."""
    sys.path.insert(0, str(Path(FOLDER).resolve()))
    found = []
    for path in paths:
        module = importlib.import_module(Path(path).stem)
        for name, value in list(vars(module).items()):
            if name.startswith("test_") and getattr(value, "__module__", None) == module.__name__:
                found.append(PlainTest(path, value))
    return found


def passes(paths: Sequence[str], order: Sequence[str]) -> bool:
    """Run the tests of the files, those of `order` first, until one fails. Returns whether none does."""
    place = {nodeid: at for at, nodeid in enumerate(order)}
    tests = sorted(collect(paths), key=lambda test: place.get(test.nodeid, len(place)))
    return bool(tests) and not any(test.fails() for test in tests)

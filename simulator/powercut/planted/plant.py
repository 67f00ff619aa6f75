"""A bug and how it is planted: functions are replaced for as long as a campaign runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

CUTS: Final = "cuts"  # some cut of the flow
SECOND: Final = "second"  # only a cut in the recovery from a cut
SECTORS: Final = "sectors"  # a damaged sector
ROT: Final = "rot"  # a single bit


_NOTHING: Final = object()


class Plant:
    """Replaces attributes and remembers what was there."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def put(self, owner: Any, name: str, value: Any) -> Any:
        """Replace `owner.name`. Returns what was there, _NOTHING for an attribute that only instances have."""
        before = vars(owner).get(name, _NOTHING)
        self._before.append((owner, name, before))
        setattr(owner, name, value)
        return before

    def before(self, owner: Any, name: str) -> Any:
        """Return what was at `owner.name` before this plant. Raises StopIteration if nothing was replaced there."""
        return next(before for one, what, before in self._before if one is owner and what == name)

    def take_back(self) -> None:
        """Put everything back, the last first."""
        for owner, name, before in reversed(self._before):
            if before is _NOTHING:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._before.clear()


class Bug(NamedTuple):
    """One bug: its name, what is wrong in one line, the flow that meets it, and what shows it (CUTS, ...)."""

    name: str
    text: str
    flow: str
    plant: Callable[[Plant], None]
    by: str = CUTS


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """Run with the bug."""
    plant = Plant()
    try:
        bug.plant(plant)
        yield
    finally:
        plant.take_back()


def table(bugs: list[Bug]) -> dict[str, Bug]:
    """Return the bugs by name. Raises ValueError for a name that two have."""
    found: dict[str, Bug] = {}
    for bug in bugs:
        if bug.name in found:
            raise ValueError(f"two bugs are called {bug.name}")
        found[bug.name] = bug
    return found

"""The unit as its owner sees it in the story: the status page, and the figures that a run keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.story.owner import Owner

# Figures of the run: the largest or the smallest number of all its starts.
_LARGEST = (
    "heap_bytes",
    "heap_peak_bytes",
    "tls_bytes",
    "tls_peak_bytes",
    "tls_refused",
    "stack_bytes",
    "stack_peak_bytes",
)
_SMALLEST = ("heap_least_block_bytes",)


class UnitStatus:
    """Reads the status page as the owner, who signs in with `password`. `owner` is called for each page."""

    def __init__(self, owner: Callable[[], Owner], password: str) -> None:
        self._owner = owner
        self._password = password
        self._memory: dict[str, int] = {}
        self.running_version = ""  # as the status page last showed it

    def read(self) -> dict[str, Any]:
        """Return the status page as data; sign in again after a restart, which ends sessions.

        Raises PermissionError if the unit refuses the password.
        """
        owner = self._owner()
        try:
            found = owner.status()
        except PermissionError:
            if not owner.sign_in(self._password):
                raise
            found = owner.status()
        self._note(found["memory"])
        self.running_version = str(found["version"])
        return found

    @property
    def running_number(self) -> int:
        """The number of the running release."""
        return int(self.running_version.partition(".")[0])

    def facts(self) -> dict[str, Any]:
        """Return the figures of the run, if the machine measures them (device/ports/mps2.py, `memory`).

        Sizes in bytes: heap_bytes, tls_bytes, stack_bytes, each with the peak of the run; and `tls_refused`.
        """
        return dict(self._memory)

    def _note(self, memory: dict[str, int]) -> None:
        for name, number in memory.items():
            if name in _LARGEST:
                self._memory[name] = max(number, self._memory.get(name, 0))
            elif name in _SMALLEST:
                self._memory[name] = min(number, self._memory.get(name, number))

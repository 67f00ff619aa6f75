"""The unit as its owner sees it in the story: the status page, and the figures that a run keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.story.owner import Owner


class UnitStatus:
    """Reads the status page as the owner, who signs in with `password`. `owner` is called for each page."""

    def __init__(self, owner: Callable[[], Owner], password: str) -> None:
        self._owner = owner
        self._password = password
        self._heap_peak_bytes = 0
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
        self._heap_peak_bytes = max(self._heap_peak_bytes, found["heap"]["peak_bytes"])
        self.running_version = str(found["version"])
        return found

    @property
    def running_number(self) -> int:
        """The number of the running release."""
        return int(self.running_version.partition(".")[0])

    def facts(self) -> dict[str, Any]:
        """Return the figures of the run: heap_peak_bytes, if the machine measures it."""
        return {"heap_peak_bytes": self._heap_peak_bytes} if self._heap_peak_bytes else {}

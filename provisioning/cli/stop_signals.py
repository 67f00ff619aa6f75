"""The signals that end a command which runs until it is stopped, and the one that makes it read its files again."""

from __future__ import annotations

import signal
import threading
from typing import Any, Final

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Notes SIGTERM, SIGINT and SIGHUP from now on, instead of what they did; they interrupt `wait`."""

    def __init__(self) -> None:
        self.is_ending = False
        self.is_reload_asked = False
        self._woken = threading.Event()
        for number in _ENDING:
            signal.signal(number, self._end)
        if hasattr(signal, "SIGHUP"):  # not on Windows
            signal.signal(signal.SIGHUP, self._reload)

    def wait(self, timeout_s: float) -> None:
        """Return after `timeout_s`, or at a signal."""
        self._woken.wait(timeout_s)
        self._woken.clear()

    def _end(self, number: int, frame: Any) -> None:
        self.is_ending = True
        self._woken.set()

    def _reload(self, number: int, frame: Any) -> None:
        self.is_reload_asked = True
        self._woken.set()

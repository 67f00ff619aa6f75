"""The console and the light of a simulated unit."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from pathlib import Path

from provisioning import fair_time


class SimConsole:
    """The text that the unit printed, also in the file `log_path`. A release console is closed, so it ignores input."""

    def __init__(self, log_path: Path) -> None:
        self.log_path = log_path
        self._changed = threading.Condition()
        self._text = ""
        self._cursor = 0

    @property
    def text(self) -> str:
        """Everything printed so far."""
        with self._changed:
            return self._text

    def say(self, line: str) -> None:
        """Print one line."""
        with self._changed:
            self._text += line + "\n"
            with self.log_path.open("a") as log:
                log.write(line + "\n")
            self._changed.notify_all()

    def send(self, data: bytes) -> None:
        """Type at the console. The console ignores it."""

    def wait_for(self, pattern: str, timeout_s: float) -> re.Match[str]:
        """Return the first match after the previous one. Raises TimeoutError."""
        compiled = re.compile(pattern, re.MULTILINE)
        deadline = fair_time.now() + timeout_s
        with self._changed:
            while True:
                match = compiled.search(self._text, self._cursor)
                if match:
                    self._cursor = match.end()
                    return match
                left_s = deadline - fair_time.now()
                if left_s <= 0:
                    raise TimeoutError(f"console did not print {pattern!r}")
                self._changed.wait(min(left_s, fair_time.SLICE_S))


class SimIndicator:
    """The unit's light. `seen` keeps its latest changes as (monotonic seconds, is_on)."""

    def __init__(self) -> None:
        self.is_on = False
        self.seen: deque[tuple[float, bool]] = deque(maxlen=200)

    def set(self, is_on: bool) -> None:
        """Switch the light."""
        self.is_on = is_on
        self.seen.append((time.monotonic(), is_on))

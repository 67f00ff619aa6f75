"""Many ports at once: one worker for each. Boards come and go; a run starts by a scan or when a board is inserted.

Rules:
1. Workers share only the station; its registry decides which unit gets which identity.
2. A board runs once. Its result stays on show until the board is removed, another board answers, or a person asks for
   a retry. A board that is slow to answer does not count as removed (provisioning/station/presence.py).
3. With `start_on_scan` a board waits for its scan: its hardware id, its device id, or the name of its port.
4. `stop` waits for the runs under way. If the process is killed instead, the next run continues.
5. Views hold no set-up code (PR-02).
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provisioning.station.port_state import PortState
from provisioning.station.ports import Finder, Port
from provisioning.station.station import Station
from provisioning.station.worker import PHASES, PortView, Timing, Worker

__all__ = ["PHASES", "Line", "PortView", "Timing", "Totals"]

SCAN_CHARS: Final = 200


@dataclass(frozen=True)
class Totals:
    """Counts since the line was started. `seconds`: how long it has been running."""

    passed: int
    failed: int
    refused: int
    seconds: float

    @property
    def units_per_hour(self) -> float:
        return self.passed * 3600 / self.seconds if self.seconds > 0 else 0.0

    @property
    def yield_percent(self) -> float:
        done = self.passed + self.failed
        return 100 * self.passed / done if done else 0.0


Listener = Callable[[PortView], None]


class Line:
    """A station with many ports. Worker threads call `listener` with every change of a view."""

    def __init__(
        self,
        station: Station,
        finder: Finder,
        *,
        start_on_scan: bool = False,
        listener: Listener | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.station = station
        self.start_on_scan = start_on_scan
        self.timing = timing or Timing()
        self._finder = finder
        self._listener = listener
        self._workers: dict[str, Worker] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None
        self._started = 0.0
        self._ended: float | None = None
        self._refused = 0

    @property
    def is_running(self) -> bool:
        return self._watch is not None

    def start(self) -> None:
        """Start to look for ports and boards. The counts start at zero."""
        if self._watch is not None:
            return
        self.station.clock.begin()
        self._stopping.clear()
        with self._lock:
            self._workers.clear()
        self._started, self._ended, self._refused = time.monotonic(), None, 0
        self._watch = threading.Thread(target=self._look, name="line", daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """Stop after the runs that are under way. Returns when every worker has ended."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        self._stopping.set()
        watch.join()
        for worker in self._all():
            worker.thread.join()
        self._ended = time.monotonic()

    def __enter__(self) -> Line:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def views(self) -> list[PortView]:
        """Return a view of every port seen since the start, sorted by name: port 2 before port 10."""
        return sorted((worker.view for worker in self._all()), key=lambda view: _in_order(view.name))

    def totals(self) -> Totals:
        """Return the counts since the start."""
        views = self.views()
        until = self._ended if self._ended is not None else time.monotonic()
        seconds = until - self._started if self._started else 0.0
        return Totals(
            sum(view.passed for view in views), sum(view.failed for view in views), self._refused, seconds
        )

    def scan(self, text: str) -> str:
        """Start the waiting board that a scanned or typed text names (rule 3).

        Return the port's name. Raises ValueError.
        """
        wanted = text.strip()[:SCAN_CHARS]
        waiting = [worker for worker in self._all() if worker.view.state is PortState.READY]
        for worker in waiting:
            if wanted.lower() == worker.view.board or wanted == worker.view.name:
                worker.is_scanned.set()
                return worker.view.name
        raise ValueError(
            f"no waiting board has the name {wanted!r}" if waiting else "no board is waiting for a scan"
        )

    def retry(self, name: str) -> None:
        """Run the failed board on a port again. Raises ValueError if no board failed there."""
        worker = self._workers.get(name)
        if worker is None or worker.view.state is not PortState.FAILED:
            raise ValueError(f"no failed board is on {name}")
        worker.is_retried.set()

    # Inside --------------------------------------------------------------------------------------------------

    def _all(self) -> list[Worker]:
        with self._lock:
            return list(self._workers.values())

    def _look(self) -> None:
        while not self._stopping.is_set():
            # If the finder fails (no right to list devices), the known ports stay.
            with contextlib.suppress(OSError):
                for name, port in self._finder().items():
                    known = self._workers.get(name)
                    if known is None or not known.thread.is_alive():
                        self._add(port, known)
            self._stopping.wait(self.timing.poll_s)

    def _add(self, port: Port, known: Worker | None) -> None:
        worker = Worker(self, port, known.view if known is not None else PortView(port.name))
        with self._lock:
            self._workers[port.name] = worker
        worker.thread.start()

    def report(self, view: PortView) -> None:
        """Pass a view to the listener. An error of the listener must not stop a worker."""
        if view.state is PortState.REFUSED:
            self._refused += 1
        if self._listener is not None:
            with contextlib.suppress(Exception):
                self._listener(view)

    @property
    def stopping(self) -> threading.Event:
        return self._stopping


def _in_order(name: str) -> list[tuple[int, str]]:
    """Return a sort key in which numbers in a name count as numbers."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]

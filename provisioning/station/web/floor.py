"""The data and actions of the operator's page and the terminal, for one line: its ports, counts and units.

Rules:
1. Everything comes from the views of the line and from the registry. Nothing here decides about a unit.
2. No view, count or search result holds a set-up code.
"""

from __future__ import annotations

import re
import statistics
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from device.records.support import date_text
from provisioning.registry.models import COMPLETE, PASSED, RESERVED, Unit
from provisioning.registry.registry import Registry
from provisioning.registry.sale import obstacle
from provisioning.station.line import Line, PortView, Totals
from provisioning.station.phases import Outcome
from provisioning.station.port_state import PortState
from provisioning.station.reprint import reprint

FOUND: Final = 50
KEPT: Final = 500  # runs from which the times per phase are calculated
QUERY_CHARS: Final = 80
DONE: Final = (PortState.PASSED, PortState.FAILED, PortState.REFUSED)

# The large word of each state, and the operator's next step.
WORDS: Final = {
    PortState.ABSENT: ("NO PORT", "The station does not find this port. Check its cable."),
    PortState.EMPTY: ("EMPTY", "Insert a board."),
    PortState.READY: ("READY", "Scan the board to start."),
    PortState.RUNNING: ("BUSY", "Do not remove the board."),
    PortState.PASSED: ("PASS", "Stick the label on the board, then remove the board."),
    PortState.FAILED: ("FAIL", ""),
    PortState.REFUSED: ("DONE BEFORE", "This unit was finished earlier. Nothing was changed."),
    PortState.STOPPED: ("STOPPED", "Start the batch."),
}


_OUTCOME: Final = re.compile(rf"^[a-z]+: (?:{'|'.join(Outcome)}): ")


@dataclass(frozen=True)
class PhaseTime:
    """Seconds that a phase took in the runs that passed it."""

    name: str
    median_s: float
    slowest_s: float
    runs: int


def plain_reason(message: str) -> str:
    """Return a view's message without the words that only an engineer needs."""
    _, found, reason = message.partition("reason=")
    return _OUTCOME.sub("", reason if found else message)


class Floor:
    """A line with the numbers of a shift. Thread-safe: workers report, the page asks."""

    def __init__(self, registry: Registry, labels_dir: Path, product: str, batch: str) -> None:
        self.registry = registry
        self.labels_dir = labels_dir
        self.product = product
        self.batch = batch
        self._line: Line | None = None
        self._times: dict[str, list[float]] = {}
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def attach(self, line: Line) -> None:
        """Set the line to show. It must have this floor's `report` as its listener."""
        self._line = line

    @property
    def line(self) -> Line:
        if self._line is None:
            raise RuntimeError("no line is attached")
        return self._line

    def report(self, view: PortView) -> None:
        """Take a changed view of the line. A run that ended adds its times."""
        if view.state not in DONE or not view.results:
            return
        with self._lock:
            for result in view.results:
                if result.outcome is Outcome.PASS:
                    times = self._times.setdefault(result.name, [])
                    times.append(result.seconds)
                    del times[:-KEPT]

    def start(self) -> None:
        """Start the batch; do nothing if it is running."""
        with self._turn:
            if not self.line.is_running:
                with self._lock:
                    self._times.clear()
                self.line.start()

    def stop(self) -> None:
        """Stop the batch after the runs that are under way; blocks until they have ended."""
        with self._turn:
            self.line.stop()

    @property
    def is_running(self) -> bool:
        return self.line.is_running

    def views(self) -> list[PortView]:
        return self.line.views()

    def totals(self) -> Totals:
        return self.line.totals()

    def batch_count(self) -> int:
        """Return how many units of this batch have passed, in all runs of the station."""
        return sum((unit.batch, unit.status) == (self.batch, PASSED) for unit in self.registry.units())

    def phase_times(self) -> list[PhaseTime]:
        """Return the times of each phase, in the order in which phases were first seen."""
        with self._lock:
            return [
                PhaseTime(name, statistics.median(times), max(times), len(times))
                for name, times in self._times.items()
            ]

    def scan(self, text: str) -> str:
        """Start the scanned board. Return a sentence for the page. Raises ValueError."""
        return f"Started the board on {self.line.scan(text)}."

    def retry(self, port: str) -> str:
        """Run the failed board on a port again. Return a sentence for the page. Raises ValueError."""
        self.line.retry(port)
        return f"The board on {port} runs again."

    def reprint(self, serial: str, form: str = "pdf") -> bytes:
        """Return a second label before the lock; secret. Raises ReprintError, OSError."""
        return reprint(self.registry, self.labels_dir, serial, form)

    def search(self, text: str) -> list[dict[str, Any]]:
        """Return units whose serial contains the text, or whose device id, board or batch equals it; at most FOUND."""
        wanted = text.strip()[:QUERY_CHARS].lower()
        if not wanted:
            return []
        found = [unit for unit in self.registry.units() if self._matches(unit, wanted)]
        return [self._facts(unit) for unit in found[:FOUND]]

    @staticmethod
    def _matches(unit: Unit, wanted: str) -> bool:
        exact = (unit.device_id.hex(), unit.hardware_id.hex(), unit.batch.lower())
        return wanted in unit.serial.lower() or wanted in exact

    def _facts(self, unit: Unit) -> dict[str, Any]:
        return {
            "serial": unit.serial,
            "batch": unit.batch,
            "status": unit.status,
            "not_for_sale": obstacle(unit) or "",
            "board": unit.hardware_id.hex(),
            "version": unit.version or "",
            "support_end": "" if unit.support_end_day is None else date_text(unit.support_end_day),
            "can_reprint": unit.status in (RESERVED, COMPLETE),
            "phases": [
                {
                    "name": phase.name,
                    "outcome": phase.outcome,
                    "seconds": phase.seconds,
                    "error": phase.error or "",
                }
                for phase in self.registry.phases(unit.id)
            ],
        }

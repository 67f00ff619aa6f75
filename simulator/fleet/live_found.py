"""The results of a live fleet: what connections cost, and how a fleet returns after an outage.

Times are seconds of the machine's monotonic clock. They depend on the machine and on what else it does, so `Machine`
is part of every report.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KIB = 1024
SHARES = (0.5, 0.95, 1.0)


@dataclass(frozen=True)
class Machine:
    """The processors of this machine, and how many programs wanted one before the run."""

    cores: int
    load: float

    @classmethod
    def now(cls) -> Machine:
        """Return the present state. The load is the mean of the last minute."""
        return cls(os.cpu_count() or 1, round(os.getloadavg()[0], 1))

    @property
    def is_busy(self) -> bool:
        """Return whether other programs took so much that a figure says little about the machine."""
        return self.load > self.cores / 4


@dataclass(frozen=True)
class Connections:
    """Connections that units opened and held at the same time. `cpu_s`, `unit_bytes`: of the process of the units."""

    count: int
    wall_s: float
    cpu_s: float
    unit_bytes: int
    broker_bytes: int

    def document(self) -> dict[str, Any]:
        """Return rates, and the cost of one connection at each end."""
        return {
            "count": self.count,
            "wall_s": round(self.wall_s, 2),
            "connects_per_s": round(self.count / max(self.wall_s, 1e-9)),
            "connects_per_processor_s": round(self.count / max(self.cpu_s, 1e-9)),
            "kib_per_connection": round(self.unit_bytes / KIB / self.count, 1),
            "broker_kib_per_connection": round(self.broker_bytes / KIB / self.count, 1),
        }


@dataclass(frozen=True)
class Storm:
    """The return of a fleet. Seconds count from the start of the servers after the outage. `connects`: of each
    connection; `returned`: of each unit's first report. `failed`: attempts to connect that failed since the stop.
    """

    units: int
    outage_s: float
    check_interval_s: int
    failed: int
    connects: Sequence[float]
    returned: Mapping[int, float]

    def document(self) -> dict[str, Any]:
        """Return how the units came back, and how many connected in each second."""
        seconds = Counter(int(one) for one in self.connects)
        last = max(seconds, default=-1)
        return {
            "units": self.units,
            "outage_s": self.outage_s,
            "check_interval_s": self.check_interval_s,
            "failed_attempts": self.failed,
            "returned": len(self.returned),
            "connects_in_each_second": [seconds[number] for number in range(last + 1)],
            "busiest_second": max(seconds.values(), default=0),
            "returned_s": {f"{share:.0%}": self._time(share, self.returned.values()) for share in SHARES},
        }

    def _time(self, share: float, times: Iterable[float]) -> float | None:
        """Return when this share of all units was back, None if it was not."""
        wanted = max(1, -int(-self.units * share // 1))
        found = sorted(times)
        return round(found[wanted - 1], 1) if len(found) >= wanted else None

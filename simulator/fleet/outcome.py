"""The sum of the events of a run: releases, times to a share of the fleet, failures by reason, the log's digest."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from provisioning.servers.error_names import error_name
from simulator.fleet.plan import Event
from simulator.fleet.scenario import Scenario

_REPORT: Final = re.compile(
    r"report: release (\d+), error (\d+)( restarts)? about (?:release (\d+)|nothing|another) \[(.*)\]"
)
_STALE: Final = "-6=True"
SHARES: Final = (0.5, 0.95)


class ReportLine(NamedTuple):
    """A report as the log has it. `about`: the release that its manifest belongs to, 0 for none of the scenario's."""

    release: int
    error: int
    is_restarting: bool
    about: int
    is_stale: bool


def read_report(text: str) -> ReportLine:
    """Return the report in the text of an event. Raises ValueError."""
    found = _REPORT.fullmatch(text)
    if found is None:
        raise ValueError(f"not a report: {text}")
    return ReportLine(int(found[1]), int(found[2]), bool(found[3]), int(found[4] or 0), _STALE in found[5])


class Outcome:
    """The running total of a run. `add` takes each event once, in the order of the log."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._log = hashlib.sha256()
        self.events = 0
        self.reports = 0
        self.starts = 0
        self.power_cuts = 0
        self._release = [0] * scenario.units  # that each unit reported last; 0 for none
        self._error = [0] * scenario.units
        self._failed: dict[int, set[int]] = {}  # by release: units whose trial failed
        self._began: dict[int, set[int]] = {}  # by release: units that restarted into it
        self._times: dict[int, list[int]] = {}  # by release: when each unit reported it first
        self._stale: set[int] = set()
        self._reasons: Counter[int] = Counter()  # error number: units that met it
        self._seen: set[tuple[int, int]] = set()
        self._by_hour = [0] * scenario.hours
        self._second, self._in_second = 0, 0  # the present second, and its reports
        self._busiest = (0, 0)  # reports, second

    def add(self, events: Iterable[Event]) -> None:
        """Add events, and let the log's digest go on."""
        for event in events:
            self._log.update(event.line().encode())
            self.events += 1
            text = event.text
            if text.startswith("report: "):
                self._add_report(event)
            elif text == "power on":
                self.starts += 1
            elif text == "power cut":
                self.power_cuts += 1

    def _add_report(self, event: Event) -> None:
        found = read_report(event.text)
        release, error, unit = found.release, found.error, event.unit
        self.reports += 1
        self._count_time(event.time_us)
        if release != self._release[unit]:
            self._release[unit] = release
            self._times.setdefault(release, []).append(event.time_us)
        self._error[unit] = error
        if found.is_restarting:
            newest = self._newest(event.time_us)
            self._began.setdefault(newest, set()).add(unit)
        if error and (unit, error) not in self._seen:
            self._seen.add((unit, error))
            self._reasons[error] += 1
        (self._stale.add if found.is_stale else self._stale.discard)(unit)

    def _count_time(self, time_us: int) -> None:
        second = time_us // 1_000_000
        self._by_hour[min(second // 3600, len(self._by_hour) - 1)] += 1
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._in_second > self._busiest[0]:
            self._busiest = (self._in_second, second)

    def _newest(self, time_us: int) -> int:
        return max(
            (one.number for one in self._scenario.releases if one.at_s * 1_000_000 <= time_us), default=1
        )

    @property
    def digest(self) -> str:
        """The SHA-256 of the log, in hexadecimal."""
        return self._log.hexdigest()

    def document(self) -> dict[str, Any]:
        """Return the result of the run: the same for the same scenario, on every machine."""
        units = self._scenario.units
        running = Counter(self._release)
        return {
            "seed": self._scenario.seed,
            "units": units,
            "hours": self._scenario.hours,
            "events": self.events,
            "log_sha256": self.digest,
            "reports": self.reports,
            "reports_by_hour": list(self._by_hour),
            "busiest_second": {"time_s": self._busiest[1], "reports": self._busiest[0]},
            "starts": self.starts,
            "power_cuts": self.power_cuts,
            "units_without_report": running.pop(0, 0),
            "units_stale": len(self._stale),
            "units_with_error": sum(1 for error in self._error if error),
            "units_by_release": {str(number): running[number] for number in sorted(running)},
            "releases": [self._of_release(one.number, one.at_s) for one in self._scenario.releases],
            "units_by_error": [
                {"error": code, "name": error_name(code), "units": count}
                for code, count in sorted(self._reasons.items())
            ],
        }

    def _of_release(self, number: int, at_s: int) -> dict[str, Any]:
        times = sorted(self._times.get(number, ()))
        found: dict[str, Any] = {
            "release": number,
            "published_s": at_s,
            "units_that_began": len(self._began.get(number, ())),
            "units_that_reported_it": len(times),
        }
        for share in SHARES:
            needed = -(-int(share * 100) * self._scenario.units // 100)
            reached = round(times[needed - 1] / 1e6 - at_s, 3) if len(times) >= needed else None
            found[f"time_to_{round(share * 100)}_percent_s"] = reached
        return found

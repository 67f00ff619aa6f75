"""The units in the field that run an affected release, and the time in which a fix reaches them (UP-08).

Rules:
1. A unit runs what its last report says; a unit that never reported runs the version that it was made with. A report is
   the unit's claim. The version is that of the confirmed release, because a trial can still be reverted.
2. A unit is in the field if it was shipped or reported. A unit that is still in stock is counted apart: nobody runs it,
   and the maker can update it before it ships.
3. A unit needs the fix if it passed the station, is in the field, and was made with an affected version or reported
   one. It has the fix from its first report of a fixed version after its last report of another one.
4. Times count from the moment at which the fix was signed. The time to 95 % is None until 95 % of the units that need
   the fix have reported it: units that never report keep it open.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from device.errors import FirstbootError
from device.suit import report as suit_report

SHARE: Final = 0.95


class MadeUnit(Protocol):
    """The facts of a unit of the registry that count here."""

    device_id: bytes
    serial: str
    batch: str
    version: str | None
    passed_s: int | None
    shipped_s: int | None


@dataclass
class Spread:
    """The result. Counts are units in the field, except in `stock`.

    `seconds`: from the signed fix to the report of each unit that has it, sorted.
    """

    needing: int = 0
    fixed: int = 0
    silent: int = 0  # need the fix and never reported
    running: Counter[str] = field(
        default_factory=Counter
    )  # units that run an affected version now, by version
    batches: Counter[str] = field(default_factory=Counter)  # units that run an affected version now, by batch
    serials: list[str] = field(default_factory=list)  # of these units
    stock: Counter[str] = field(
        default_factory=Counter
    )  # units in stock with an affected version, by batch (rule 2)
    seconds: list[int] = field(default_factory=list)
    until_s: int | None = None  # from the signed fix to the newest report of any unit; None without one

    def time_to(self, share: float) -> int | None:
        """Return the seconds until this share of the units that need the fix has it; None if it is not reached."""
        wanted = math.ceil(share * self.needing)
        return self.seconds[wanted - 1] if 0 < wanted <= len(self.seconds) else None

    def curve(self) -> list[dict[str, float]]:
        """Return the points of the curve: after so many seconds, this share of the units has the fix."""
        return [
            {"seconds": after_s, "share": round((index + 1) / self.needing, 6)}
            for index, after_s in enumerate(self.seconds)
        ]


@dataclass
class _History:
    """The reports of one unit: the version now, and since when it is a fixed one."""

    version: str
    since_s: int | None = None
    was_affected: bool = False
    newest_s: int = 0


def spread(
    units: Iterable[MadeUnit],
    reports: Iterable[Mapping[str, Any]],
    *,
    affected: Collection[str],
    fixed: Collection[str],
    fixed_s: int | None,
    confirmed: Mapping[int, str],
) -> Spread:
    """Return how many units run an affected version and how many have the fix.

    `reports`: lines of a report log, oldest first; damaged ones are skipped. `fixed_s`: when the fix was signed (unix
    seconds), None without one. `confirmed`: version by sequence number, from the release log.
    """
    made = {unit.device_id.hex(): unit for unit in units if unit.passed_s is not None}
    histories = _histories(reports, made, affected, fixed, confirmed)
    found = Spread()
    if histories and fixed_s is not None:
        found.until_s = max(0, max(one.newest_s for one in histories.values()) - fixed_s)
    for device, unit in made.items():
        history = histories.get(device)
        if history is None and unit.shipped_s is None:
            found.stock.update([unit.batch] if unit.version in affected else [])
            continue
        now = unit.version or "" if history is None else history.version
        if now in affected:
            found.running[now] += 1
            found.batches[unit.batch] += 1
            found.serials.append(unit.serial)
        if unit.version not in affected and not (history and history.was_affected):
            continue
        found.needing += 1
        found.silent += history is None
        if history is not None and history.since_s is not None and fixed_s is not None:
            found.fixed += 1
            found.seconds.append(max(0, history.since_s - fixed_s))
    found.seconds.sort()
    found.serials.sort()
    return found


def _histories(
    reports: Iterable[Mapping[str, Any]],
    made: Collection[str],
    affected: Collection[str],
    fixed: Collection[str],
    confirmed: Mapping[int, str],
) -> dict[str, _History]:
    histories: dict[str, _History] = {}
    for line in reports:
        device, time_s = line.get("device"), line.get("time")
        version = _version(line, confirmed)
        if not isinstance(device, str) or device not in made or type(time_s) is not int or not version:
            continue
        history = histories.setdefault(device, _History(version))
        history.version = version
        history.newest_s = max(history.newest_s, time_s)
        history.was_affected = history.was_affected or version in affected
        if version not in fixed:
            history.since_s = None  # rule 3: a revert takes the fix away
        elif history.since_s is None:
            history.since_s = time_s
    return histories


def _version(line: Mapping[str, Any], confirmed: Mapping[int, str]) -> str:
    """Return the version of a report (rule 1); empty if it cannot be read."""
    try:
        report = suit_report.decode(bytes.fromhex(line["report"]))
    except (FirstbootError, KeyError, TypeError, ValueError):
        return ""
    return confirmed.get(report.sequence, report.version)


def serial_lines(serials: Sequence[str], most: int) -> list[str]:
    """Return the first serial numbers as lines, and how many are left out."""
    lines = [f"  {one}" for one in serials[:most]]
    return [*lines, f"  and {len(serials) - most} more"] if len(serials) > most else lines

"""The reports of units, from the servers' report logs (report_log.py), for a rollout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from device.errors import FirstbootError
from device.suit import report
from provisioning.servers.rollout import CONFIRMED, FAILED, STARTED, Rollout

REPORTED: Final = "reported"  # it is about the release, and the unit has not begun

_DEVICE: Final = re.compile(r"[0-9a-f]{2,64}")


class Fate(NamedTuple):
    """A unit's fate (REPORTED, STARTED, CONFIRMED or FAILED) and its last report, of `heard_s` (unix s)."""

    unit: str
    fate: str
    heard_s: int
    error: int  # 0: none
    version: str  # the running one
    is_stale: bool


def take(rollout: Rollout, entries: Iterable[Mapping[str, Any]], from_s: int, now_s: int) -> list[Fate]:
    """Note entries of several logs in the order of their times. Return the fate of each unit that they are about.

    Of an entry from before `from_s` only a confirmed release counts. What is not a report is left out. An entry of a
    server whose clock was ahead counts as one of now, because else its unit would not be silent for as long.
    """
    fates: dict[str, Fate] = {}
    for time_s, unit, found in sorted(_reports(entries, now_s), key=lambda one: one[0]):
        if time_s < from_s and found.sequence < rollout.plan.sequence:
            continue
        rollout.note(
            unit,
            time_s,
            sequence=found.sequence,
            error=found.error_code,
            is_restarting=found.is_restarting,
            digest=found.reference.digest,
        )
        if found.reference.digest == rollout.plan.digest or unit in rollout.counts.began:
            is_stale = bool(found.extensions.get(report.IS_STALE))
            fate = _fate(rollout, unit)
            fates[unit] = Fate(unit, fate, time_s, found.error_code, found.version, is_stale)
    return list(fates.values())


def _fate(rollout: Rollout, unit: str) -> str:
    counts = rollout.counts
    if unit in counts.confirmed:
        return CONFIRMED
    if unit in counts.failed:
        return FAILED
    return STARTED if unit in counts.began else REPORTED


def _reports(entries: Iterable[Mapping[str, Any]], now_s: int) -> Iterator[tuple[int, str, report.Report]]:
    for entry in entries:
        time_s, unit = entry.get("time"), entry.get("device")
        if type(time_s) is not int or time_s < 0 or not isinstance(unit, str) or not _DEVICE.fullmatch(unit):
            continue
        try:
            yield min(time_s, now_s), unit, report.decode(bytes.fromhex(entry["report"]))
        except (FirstbootError, KeyError, TypeError, ValueError):
            continue

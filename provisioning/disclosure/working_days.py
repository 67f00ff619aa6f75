"""Working days: Monday to Friday without the days of a calendar file (RFC 5545), as governments publish them.

Rules:
1. A calendar file lists whole days: events with a date and no time. An event that repeats by a rule is refused,
   because nobody could see afterwards which days were counted. Published lists name each day.
2. Without a calendar, or after its last year, only weekends are free. A deadline is then early, never late.
3. The file is read once, when the maker's promise is recorded; the log keeps its days and its SHA-256. A calendar that
   changes later does not move an old deadline.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from provisioning.disclosure.errors import CaseInputError
from provisioning.file_system import read_bounded

LARGEST_BYTES: Final = 1 << 20
MOST_DAYS: Final = 2000
LONGEST_EVENT_DAYS: Final = 60
_SATURDAY: Final = 5


def read_calendar(path: Path) -> tuple[dt.date, ...]:
    """Return the free days of a calendar file, sorted. Raises CaseInputError, OSError."""
    data = read_bounded(path, LARGEST_BYTES)
    if data is None:
        raise CaseInputError(f"{path.name} is larger than {LARGEST_BYTES} bytes")
    days = sorted(set(_days(data, path.name)))
    if not days:
        raise CaseInputError(f"{path.name} lists no day")
    return tuple(days)


def _days(data: bytes, name: str) -> Iterator[dt.date]:
    from icalendar import Calendar

    try:
        calendar = Calendar.from_ical(data)
        events: Iterable[Any] = calendar.walk("VEVENT")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise CaseInputError(f"{name} is not an iCalendar file (RFC 5545): {type(error).__name__}") from None
    count = 0
    for event in events:
        for day in _days_of(event, name):
            count += 1
            if count > MOST_DAYS:
                raise CaseInputError(f"{name} lists more than {MOST_DAYS} days")
            yield day


def _days_of(event: Any, name: str) -> Iterator[dt.date]:
    title = str(event.get("SUMMARY", "without a title"))[:60]
    if "RRULE" in event or "RDATE" in event:
        raise CaseInputError(f"{name}: the event {title!r} repeats by a rule; list each day by itself")
    try:
        start = event.decoded("DTSTART")
        end = event.decoded("DTEND") if "DTEND" in event else start + dt.timedelta(days=1)
    except (KeyError, ValueError, TypeError):
        raise CaseInputError(f"{name}: the event {title!r} has no valid day") from None
    if isinstance(start, dt.datetime) or isinstance(end, dt.datetime):
        raise CaseInputError(f"{name}: the event {title!r} has a time; free days are whole days (VALUE=DATE)")
    length = (end - start).days  # DTEND is the day after the last one (RFC 5545 3.6.1)
    if not 0 < length <= LONGEST_EVENT_DAYS:
        raise CaseInputError(f"{name}: the event {title!r} lasts {length} days")
    yield from (start + dt.timedelta(days=each) for each in range(length))


def is_working(day: dt.date, free: frozenset[dt.date]) -> bool:
    """Return whether `day` is a working day."""
    return day.weekday() < _SATURDAY and day not in free


def later_working_day(start: dt.date, count: int, free: frozenset[dt.date]) -> dt.date:
    """Return the `count`th working day after `start`; `start` itself does not count. `count` is at least 1."""
    day = start
    while count:
        day += dt.timedelta(days=1)
        count -= is_working(day, free)
    return day

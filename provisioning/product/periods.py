"""Support periods as values: a duration of years, months and days, its last day, and what contradicts it.

Rules:
1. A duration is ISO 8601 with whole years, months and days, in this order, and longer than nothing (SP-01).
2. A period includes its first and its last day. Its last day is the day before the same date of the month in which it
   ends. If that month has no such date, it is the month's last day: 29 February 2028 plus a year is 28 February 2029.
3. A period and an end date contradict each other if the end date is earlier than the last day of the period.
4. A definition without a first day is read backwards from its end date. That first day cannot be earlier than the day
   on which the Regulations came into force (SI 2023/1007 regulation 1): no period counted from such a day was ever
   published under them.
5. A definition without a first day prints its duration beside its end date. So what is first published or stated may
   begin a year after that day at the latest: "1 day, until 31 December 2031" in 2026 is a contradiction.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

from device.records.support import days_from_civil, long_date_text

DURATION: Final = re.compile(r"P(?=[0-9])(?=.*[1-9])(?:([0-9]{1,4})Y)?(?:([0-9]{1,5})M)?(?:([0-9]{1,6})D)?")
DURATION_HINT: Final = (
    'must be an ISO 8601 duration of years, months or days, longer than nothing, like "P5Y" (SP-01)'
)
IN_FORCE: Final = dt.date(2024, 4, 29)
LATEST_START: Final = dt.timedelta(366)  # our number: from the definition of a batch to its first sale
_REFERENCE_STARTS: Final = tuple(
    dt.date(year, month, day) for year in range(2024, 2032) for month in range(1, 13) for day in (1, 28)
)


@dataclass(frozen=True)
class Period:
    """A duration. Twelve months are a year; days are counted by themselves."""

    months: int
    days: int

    def in_words(self) -> str:
        """Return "5 years 6 months" for P5Y6M."""
        counts = (("year", self.months // 12), ("month", self.months % 12), ("day", self.days))
        return " ".join(f"{count} {unit}{'' if count == 1 else 's'}" for unit, count in counts if count)

    def text(self) -> str:
        """Return the ISO 8601 duration: "P5Y6M"."""
        parts = ((self.months // 12, "Y"), (self.months % 12, "M"), (self.days, "D"))
        return "P" + "".join(f"{count}{unit}" for count, unit in parts if count)


def parse_period(text: str) -> Period:
    """Return the period of an ISO 8601 duration. Raises ValueError for any other text and for an empty period."""
    found = DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} {DURATION_HINT}")
    years, months, days = (int(part or 0) for part in found.groups())
    return Period(years * 12 + months, days)


def last_day(start: dt.date, period: Period) -> dt.date | None:
    """Return the last day of a period whose first day is `start` (rule 2); None if it is beyond the calendar."""
    first_after = _months_later(start, period.months)
    try:
        return None if first_after is None else first_after + dt.timedelta(days=period.days - 1)
    except OverflowError:
        return None


def _months_later(day: dt.date, months: int) -> dt.date | None:
    """Return the same date `months` later; if that month has no such date, the first day of the month after it."""
    at = day.year * 12 + day.month - 1 + months
    year, month = at // 12, at % 12 + 1
    if year > dt.MAXYEAR:
        return None
    if day.day <= calendar.monthrange(year, month)[1]:
        return dt.date(year, month, day.day)
    return dt.date(year, month + 1, 1)  # December has 31 days: the next month is in the same year


def contradiction(text: str, end: dt.date, start: dt.date | None) -> str | None:
    """Return why a duration and its dates contradict each other (rules 1, 3 and 4); None if they agree."""
    try:
        period = parse_period(text)
    except ValueError as error:
        return f"period {error}"
    least = last_day(IN_FORCE if start is None else start, period)
    if least is not None and end >= least:
        return None
    earliest = "any day that a calendar has" if least is None else least.isoformat()
    if start is None:
        return (
            f"end_date must not be before {earliest}: {text} until {end.isoformat()} would begin before the"
            f" Regulations came into force on {IN_FORCE.isoformat()}; state start_date (SP-01)"
        )
    return f"end_date must not be before {earliest}: start_date and {text} (SP-01)"


def contradiction_today(text: str, end: dt.date, start: dt.date | None, today: dt.date) -> str | None:
    """Return the contradiction of a period that is first published or stated `today`, or None.

    Without a first day the period begins today.
    """
    found = contradiction(text, end, start)
    if found is not None or start is not None:
        return found
    least = last_day(today, parse_period(text))
    if least is not None and end >= least:
        return None
    return (
        f"{text} from today would not end on {end.isoformat()}: state in [support] start_date on which day the"
        " period begins (SP-01)"
    )


def contradiction_when_new(text: str, end: dt.date, start: dt.date | None, today: dt.date) -> str | None:
    """Return why a period contradicts its end date if it is first published or stated today (rule 5), or None.

    Raises ValueError for a text that is not a duration.
    """
    latest = last_day(today + LATEST_START, parse_period(text)) if start is None else None
    if latest is None or end <= latest:
        return None
    return (
        f"end_date must not be after {latest.isoformat()}: {text} until {end.isoformat()} would begin more than a year"
        " from now; state start_date, or a longer period (SP-01)"
    )


def is_shorter(new: Period, old: Period) -> bool:
    """Return whether `new` ends before `old` for any first day: P1Y is shorter than P366D if the year has 366 days."""
    if new.days == old.days or new.months == old.months:
        return (new.months, new.days) < (old.months, old.days)
    for start in _REFERENCE_STARTS:
        then, now = last_day(start, old), last_day(start, new)
        if now is not None and (then is None or now < then):
            return True
    return False


def span(start: dt.date, end: dt.date) -> Period:
    """Return the time from the first day to the last, both included, as years, months and days."""
    after = end + dt.timedelta(days=1)
    months = (after.year - start.year) * 12 + after.month - start.month
    while months and (_months_later(start, months) or dt.date.max) > after:
        months -= 1
    begun = _months_later(start, months) or start
    return Period(months, (after - begun).days)


def period_in_words(text: str, end: dt.date, start: dt.date | None) -> str:
    """Return the words beside the dates: the exact time between them, or the duration without a first day.

    Raises ValueError for a text that is not a duration.
    """
    return (parse_period(text) if start is None else span(start, end)).in_words()


def date_words(text: str) -> str:
    """Return an ISO 8601 date as "31 December 2031"."""
    year, month, day = (int(part) for part in text.split("-"))
    return long_date_text(days_from_civil(year, month, day))

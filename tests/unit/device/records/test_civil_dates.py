"""Dates without datetime: every day of a whole period of the calendar against Python's own."""

from __future__ import annotations

from datetime import date

from device.records import support

FIRST = date(1970, 1, 1).toordinal()


def test_every_day_of_400_years_is_the_date_that_python_says() -> None:
    for day in range(146097 + 400):
        expected = date.fromordinal(FIRST + day)
        found = support.civil_from_days(day)
        assert found == (expected.year, expected.month, expected.day), day
        assert support.days_from_civil(*found) == day


def test_the_last_days_that_a_record_may_name_have_dates_too() -> None:
    for day in range(support.LAST_DAY - 400, support.LAST_DAY + 1):
        assert support.date_text(day) == date.fromordinal(FIRST + day).isoformat()

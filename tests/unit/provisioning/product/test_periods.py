"""Periods: their last day, contradictions, and their printed form."""

from __future__ import annotations

import datetime as dt

import pytest

from provisioning.product.periods import (
    contradiction,
    contradiction_today,
    contradiction_when_new,
    is_shorter,
    last_day,
    parse_period,
    period_in_words,
    span,
)


@pytest.mark.parametrize(
    ("start", "period", "end"),
    [
        (dt.date(2026, 1, 1), "P5Y", dt.date(2030, 12, 31)),
        (dt.date(2027, 3, 1), "P1Y", dt.date(2028, 2, 29)),
        (dt.date(2028, 2, 29), "P1Y", dt.date(2029, 2, 28)),
        (dt.date(2028, 2, 29), "P4Y", dt.date(2032, 2, 28)),
        (dt.date(2026, 1, 31), "P1M", dt.date(2026, 2, 28)),
        (dt.date(2026, 8, 31), "P6M", dt.date(2027, 2, 28)),
        (dt.date(2026, 12, 31), "P1Y2M3D", dt.date(2028, 3, 3)),
        (dt.date(2026, 5, 1), "P1D", dt.date(2026, 5, 1)),
        (dt.date(2026, 1, 1), "P9999Y", None),
    ],
)
def test_the_last_day_is_the_day_before_the_same_date(
    start: dt.date, period: str, end: dt.date | None
) -> None:
    assert last_day(start, parse_period(period)) == end


@pytest.mark.parametrize(
    "text", ["P", "P0Y", "P0M", "P00Y0M00D", "P5", "5Y", "P-1Y", "P1.5Y", "P1YT1H", "p5y", "P\u0665Y"]
)
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SP-01"):
        parse_period(text)


def test_a_period_and_an_earlier_end_date_contradict_each_other() -> None:
    start = dt.date(2026, 12, 1)
    assert contradiction("P5Y", dt.date(2031, 11, 30), start) is None
    assert "2031-11-30" in str(contradiction("P5Y", dt.date(2031, 11, 29), start))
    assert "start_date" in str(contradiction("P10Y", dt.date(2027, 1, 1), None))
    assert contradiction("P5Y", dt.date(2031, 12, 31), None) is None


def test_a_period_without_a_first_day_begins_when_it_is_published() -> None:
    end = dt.date(2031, 12, 31)
    assert contradiction_today("P5Y", end, None, dt.date(2027, 1, 1)) is None
    assert "start_date" in str(contradiction_today("P5Y", end, None, dt.date(2027, 1, 2)))
    assert contradiction_today("P5Y", end, dt.date(2026, 12, 1), dt.date(2030, 1, 1)) is None


def test_a_new_period_without_a_first_day_ends_soon_after_its_duration() -> None:
    today, end = dt.date(2026, 11, 30), dt.date(2031, 12, 31)
    assert contradiction_when_new("P5Y", end, None, today) is None
    assert contradiction_when_new("P4Y2M", end, None, today) is None
    assert "2027-12-01" in str(contradiction_when_new("P1D", end, None, today))
    assert "start_date" in str(contradiction_when_new("P4Y", end, None, today))
    assert contradiction_when_new("P1D", end, dt.date(2026, 12, 1), today) is None


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ("P1Y", "P5Y", True),
        ("P12M", "P1Y", False),
        ("P59M", "P5Y", True),
        ("P365D", "P1Y", True),
        ("P366D", "P1Y", False),
        ("P1Y", "P366D", True),
        ("P5Y1D", "P5Y", False),
    ],
)
def test_a_shorter_period_is_known_whatever_its_units(new: str, old: str, *, expected: bool) -> None:
    assert is_shorter(parse_period(new), parse_period(old)) is expected


def test_what_is_printed_is_the_time_between_the_printed_days() -> None:
    end = dt.date(2031, 12, 31)
    assert period_in_words("P5Y", end, dt.date(2026, 12, 1)) == "5 years 1 month"
    assert period_in_words("P1Y", end, dt.date(2027, 1, 1)) == "5 years"
    assert period_in_words("P5Y6M", end, None) == "5 years 6 months"
    assert span(dt.date(2028, 2, 29), dt.date(2029, 2, 28)).in_words() == "1 year"

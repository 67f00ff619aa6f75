"""RP-08 and CF-05: what is due, computed from what the maker published and from the moment of awareness."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from provisioning.disclosure import clocks, desk
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.errors import CaseInputError, StateError
from provisioning.disclosure.states import Step
from provisioning.disclosure.working_days import read_calendar
from tests.unit.provisioning.disclosure.cases_bench import DAY_S, START_S, Cases, promise

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\n"


def calendar(folder: Path, *events: str) -> Path:
    path = folder / "holidays.ics"
    body = "".join(
        f"BEGIN:VEVENT\r\nUID:{n}\r\nSUMMARY:Day\r\n{text}\r\nEND:VEVENT\r\n" for n, text in enumerate(events)
    )
    path.write_text(f"{HEAD}{body}END:VCALENDAR\r\n", newline="")
    return path


def utc(*parts: int) -> int:
    return int(dt.datetime(*parts, tzinfo=dt.UTC).timestamp())  # type: ignore[arg-type]


def whats(cases: Cases, code: str) -> list[str]:
    return [item.what for item in clocks.of_case(cases.case(code))]


def due_s(cases: Cases, code: str, what: str) -> int:
    return next(item.due_s for item in clocks.of_case(cases.case(code)) if item.what == what)


def test_working_days_end_at_midnight_in_the_makers_time_zone_and_skip_weekends_and_holidays() -> None:
    christmas = (dt.date(2026, 12, 25), dt.date(2026, 12, 28))
    thursday = utc(2026, 12, 24, 9, 0)
    assert promise(christmas).acknowledgement_due(thursday) == utc(2026, 12, 31, 23, 59, 59)
    assert promise().acknowledgement_due(thursday) == utc(2026, 12, 29, 23, 59, 59)
    assert promise(zone="Asia/Tokyo").acknowledgement_due(thursday) == utc(2026, 12, 29, 14, 59, 59)


def test_a_report_of_the_late_evening_counts_from_the_day_in_the_makers_time_zone() -> None:
    summer = promise().acknowledgement_due(utc(2026, 7, 1, 23, 30))  # 2 July in London
    assert summer == utc(2026, 7, 7, 22, 59, 59)


@pytest.mark.parametrize(
    ("text", "length_s"),
    [
        ("within 24 hours", 86400),
        ("within 2 days", 2 * 86400),
        ("within 1 week", 7 * 86400),
        ("within 1 month", 31 * 86400),
    ],
)
def test_other_units_are_exact(text: str, length_s: int) -> None:
    assert promise(acknowledgement=text).acknowledgement_due(START_S) == START_S + length_s


def test_a_promise_without_a_fixed_length_is_refused() -> None:
    with pytest.raises(CaseInputError, match="no fixed length"):
        promise(acknowledgement="within 8 working hours")


def test_a_published_list_of_holidays_is_read_with_its_last_days(tmp_path: Path) -> None:
    path = calendar(
        tmp_path,
        "DTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261227",
        "DTSTART;VALUE=DATE:20270101",
    )
    assert read_calendar(path) == (dt.date(2026, 12, 25), dt.date(2026, 12, 26), dt.date(2027, 1, 1))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("DTSTART;VALUE=DATE:20261225\r\nRRULE:FREQ=YEARLY", "repeats by a rule"),
        ("DTSTART:20261225T100000Z", "has a time"),
        ("DTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20290101", "lasts"),
        ("DTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261224", "lasts"),
        ("DTSTART:rubbish", "no valid day|not an iCalendar"),
    ],
)
def test_a_calendar_that_nobody_can_count_is_refused(event: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(CaseInputError, match=words):
        read_calendar(calendar(tmp_path, event))


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"BEGIN:VCALENDAR", b"x" * (1 << 20) + b"x"])
def test_a_file_that_is_not_a_calendar_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "holidays.ics"
    path.write_bytes(data)
    with pytest.raises(CaseInputError):
        read_calendar(path)


def test_rp_08_the_acknowledgement_is_due_until_the_server_accepted_it(cases: Cases) -> None:
    code = cases.report().case
    assert whats(cases, code) == [clocks.ACKNOWLEDGEMENT]
    limit = due_s(cases, code, clocks.ACKNOWLEDGEMENT)
    cases.decide(code, Step.ACKNOWLEDGE)
    assert (whats(cases, code), due_s(cases, code, clocks.DELIVERY)) == ([clocks.DELIVERY], limit)
    cases.deliver()
    assert whats(cases, code) == [clocks.STATUS_UPDATE]


def test_rp_08_a_status_update_is_due_14_days_after_the_last_news_until_the_end(cases: Cases) -> None:
    code = cases.report().case
    for step in (Step.ACKNOWLEDGE, Step.TRIAGE, Step.REJECT):
        cases.decide(code, step)
        cases.deliver()
    assert due_s(cases, code, clocks.STATUS_UPDATE) == START_S + 14 * DAY_S
    cases.clock.go(days=3)
    desk.update(cases.store, code, Decision("E", cases.case(code).version, "We are still looking."))
    cases.deliver()
    assert due_s(cases, code, clocks.STATUS_UPDATE) == START_S + 17 * DAY_S
    cases.decide(code, Step.CLOSE)
    cases.deliver()
    assert whats(cases, code) == []


def test_rp_08_the_figures_show_what_was_late(cases: Cases) -> None:
    punctual, late = cases.report().case, cases.report(text="another").case
    cases.decide(punctual, Step.ACKNOWLEDGE)
    cases.deliver()
    cases.clock.go(days=20)
    cases.decide(late, Step.ACKNOWLEDGE)
    cases.deliver()
    found = clocks.punctuality([cases.case(punctual), cases.case(late)], cases.clock())
    assert (found.acknowledged_in_time, found.acknowledged_late) == (1, 1)
    assert (found.updates_in_time, found.updates_late) == (0, 1)


def test_rp_08_a_reporter_who_was_acknowledged_before_a_merge_does_not_count_as_late(cases: Cases) -> None:
    first, second = cases.report().case, cases.report("ben@reporter.example", "The same.").case
    for code in (first, second):
        cases.decide(code, Step.ACKNOWLEDGE)
    cases.deliver()
    cases.clock.go(days=9)
    desk.merge(cases.store, second, first, Decision("E", cases.case(second).version))
    cases.deliver()
    found = clocks.punctuality([cases.case(first), cases.case(second)], cases.clock())
    assert (found.acknowledged_in_time, found.acknowledged_late) == (2, 0)


def test_a_discarded_case_owes_nothing(cases: Cases) -> None:
    code = cases.report().case
    cases.decide(code, Step.DISCARD)
    assert whats(cases, code) == []


def test_a_message_after_the_end_has_to_be_read(cases: Cases) -> None:
    receipt = cases.report()
    cases.decide(receipt.case, Step.DISCARD)
    cases.clock.go(days=1)
    cases.report(text="It is not spam.", reporter=receipt.reporter)
    assert whats(cases, receipt.case) == [clocks.ANSWER]


def aware(cases: Cases, duty: str) -> str:
    code = cases.report().case
    cases.clock.go(hours=5)
    decision = Decision("E", cases.case(code).version, reason="log 4")
    desk.record_awareness(cases.store, code, duty, START_S + 3600, decision)
    return code


@pytest.mark.parametrize("duty", clocks.DUTIES)
def test_cf_05_the_times_run_from_awareness(duty: str, cases: Cases) -> None:
    code = aware(cases, duty)
    assert due_s(cases, code, "CRA early warning") == START_S + 3600 + 24 * 3600
    assert due_s(cases, code, "CRA notification") == START_S + 3600 + 72 * 3600
    assert "CRA final report" not in whats(cases, code)


def test_cf_05_the_final_report_of_an_exploited_vulnerability_is_due_14_days_after_the_fix(
    cases: Cases,
) -> None:
    code = aware(cases, clocks.EXPLOITED)
    for step in (Step.ACKNOWLEDGE, Step.TRIAGE, Step.CONFIRM):
        cases.decide(code, step)
    cases.clock.go(days=6)
    cases.decide(code, Step.RESOLVE, release="1.2.1")
    assert due_s(cases, code, "CRA final report") == cases.clock() + 14 * DAY_S


def test_cf_05_the_final_report_of_an_incident_is_due_a_month_after_the_notification(cases: Cases) -> None:
    code = aware(cases, clocks.INCIDENT)
    cases.clock.now_s = utc(2027, 1, 31, 8, 0)
    filed = (cases.clock(), "R-1")
    decision = Decision("E", cases.case(code).version)
    desk.record_filing(cases.store, code, clocks.INCIDENT, clocks.NOTIFICATION, filed, decision)
    assert due_s(cases, code, "CRA final report") == utc(2027, 2, 28, 8, 0)
    assert "CRA notification" not in whats(cases, code)


def test_cf_05_a_report_that_is_not_owed_cannot_be_filed(cases: Cases) -> None:
    code = cases.report().case
    decision = Decision("E", cases.case(code).version)
    with pytest.raises(StateError, match="record the awareness first"):
        desk.record_filing(
            cases.store, code, clocks.EXPLOITED, clocks.EARLY_WARNING, (START_S, "R"), decision
        )


def test_awareness_is_corrected_to_an_earlier_time_and_never_to_a_later_one(cases: Cases) -> None:
    code = aware(cases, clocks.EXPLOITED)
    later = Decision("E", cases.case(code).version)
    with pytest.raises(CaseInputError, match="earlier time"):
        desk.record_awareness(cases.store, code, clocks.EXPLOITED, START_S + 7200, later)
    with pytest.raises(CaseInputError, match="in the future"):
        desk.record_awareness(cases.store, code, clocks.INCIDENT, cases.clock() + 1, later)
    desk.record_awareness(cases.store, code, clocks.EXPLOITED, START_S, later)
    assert due_s(cases, code, "CRA early warning") == START_S + 24 * 3600


def test_a_case_keeps_the_promise_under_which_it_came(cases: Cases) -> None:
    code = cases.report().case
    before = due_s(cases, code, clocks.ACKNOWLEDGEMENT)
    assert desk.record_promise(cases.store, promise(acknowledgement="within 30 days"), "E")
    assert due_s(cases, code, clocks.ACKNOWLEDGEMENT) == before
    later = cases.report(text="another").case
    assert due_s(cases, later, clocks.ACKNOWLEDGEMENT) == START_S + 30 * DAY_S

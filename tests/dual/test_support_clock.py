"""SP-08, SP-10: the support state for each time: around the end, far from it, on leap days, rolled back, unknown."""

from memory_unit import MemoryClock, refused

from device.errors import FreshnessError
from device.records import freshness, support
from device.records.support import (
    DAY_S,
    ENDED,
    ENDING,
    SUPPORTED,
    UNKNOWN,
    SupportRecord,
    days_from_civil,
    support_state,
)
from device.records.timekeeper import TimeKeeper

BUILT_S = days_from_civil(2026, 11, 1) * DAY_S
END = days_from_civil(2031, 12, 31)
RECORD = SupportRecord(b"c" * 16, END, 5, BUILT_S, 90)


class Clock(MemoryClock):
    def set_trusted_time(self, unix_s):
        self.trusted_s = unix_s


def state_at(time_s, record=RECORD, floor_s=BUILT_S):
    """Return the state after a tracker's record with `time_s` was offered to a unit without trusted time."""
    time = TimeKeeper(Clock(), floor_s)
    asked = freshness.challenge(b"n" * 16, b"c" * 16, 0)
    try:
        payload = freshness.encode_payload(asked.class_id, asked.nonce, time_s, 1, 1)
        found = freshness.accept(payload, asked, 0, time.floor_s)
    except FreshnessError:
        pass
    else:
        time.accept(found.time_s)
    return support_state(record, time.now_s()).state


def test_sp_08_around_the_end():
    for days, state in ((-1, ENDING), (0, ENDING), (1, ENDING), (2, ENDED), (3, ENDED)):
        for second in (0, DAY_S - 1):
            assert state_at((END + days) * DAY_S + second) == state, (days, second)


def test_sp_08_the_notice_begins_as_many_days_before_as_the_record_says():
    for notice in (0, 1, 90, 365):
        record = SupportRecord(b"c" * 16, END, 5, BUILT_S, notice)
        assert state_at((END - notice - 1) * DAY_S + DAY_S - 1, record) == SUPPORTED
        assert state_at((END - notice) * DAY_S, record) == ENDING


def test_sp_10_a_clock_at_1970_or_2000_is_not_trusted():
    for year in (1970, 2000, 2025):
        assert state_at(days_from_civil(year, 1, 1) * DAY_S) == UNKNOWN


def test_sp_10_a_signed_time_far_ahead_is_after_the_end():
    assert state_at(days_from_civil(2099, 12, 31) * DAY_S) == ENDED


def test_sp_10_a_time_before_the_last_trusted_one_is_not_accepted():
    assert state_at(BUILT_S + DAY_S, floor_s=BUILT_S + 30 * DAY_S) == UNKNOWN


def test_sp_10_without_any_record_there_is_no_answer():
    assert support_state(RECORD, TimeKeeper(Clock(), BUILT_S).now_s()).state == UNKNOWN


def test_sp_10_a_period_that_ends_on_a_leap_day_ends_two_days_later():
    end = days_from_civil(2028, 2, 29)
    record = SupportRecord(b"c" * 16, end, 5, BUILT_S, 0)
    assert support.long_date_text(end) == "29 February 2028"
    assert state_at(days_from_civil(2028, 2, 28) * DAY_S, record) == SUPPORTED
    assert state_at(days_from_civil(2028, 2, 29) * DAY_S, record) == ENDING
    assert state_at(days_from_civil(2028, 3, 1) * DAY_S + DAY_S - 1, record) == ENDING
    assert state_at(days_from_civil(2028, 3, 2) * DAY_S, record) == ENDED


def test_sp_10_the_day_before_a_leap_day_counts_the_leap_day():
    record = SupportRecord(b"c" * 16, days_from_civil(2028, 3, 1), 5, BUILT_S, 90)
    assert support_state(record, days_from_civil(2028, 2, 28) * DAY_S).days_left == 2
    record = SupportRecord(b"c" * 16, days_from_civil(2027, 3, 1), 5, BUILT_S, 90)
    assert support_state(record, days_from_civil(2027, 2, 28) * DAY_S).days_left == 1
    for year in (2100, 2200):  # no leap years
        refused(support.SupportRecordError, days_from_civil, year, 2, 29)


def test_sp_08_the_state_changes_while_the_unit_runs():
    clock = Clock()
    time = TimeKeeper(clock, BUILT_S)
    time.accept((END + 2) * DAY_S - 5)
    assert support_state(RECORD, time.now_s()).state == ENDING
    clock.ms += 5000
    assert support_state(RECORD, time.now_s()).state == ENDED


def test_the_time_is_unknown_until_a_record_and_after_a_new_floor():
    clock = Clock()
    time = TimeKeeper(clock, BUILT_S)
    assert time.now_s() is None and clock.trusted_s is None and time.floor_s == BUILT_S
    time.accept(BUILT_S + DAY_S)
    assert time.now_s() == clock.trusted_s == BUILT_S + DAY_S
    time.set_floor(BUILT_S + 7)
    assert time.now_s() is None and clock.trusted_s is None and time.floor_s == BUILT_S + 7


def test_the_floor_moves_by_a_day_or_more():
    time = TimeKeeper(Clock(), BUILT_S)
    assert time.accept(BUILT_S + DAY_S - 1) is False and time.floor_s == BUILT_S
    assert time.accept(BUILT_S + DAY_S) is True and time.floor_s == BUILT_S + DAY_S
    assert time.accept(BUILT_S + DAY_S + 1) is False and time.floor_s == BUILT_S + DAY_S


def test_a_second_passes_a_second_after_the_record_and_not_before():
    clock = Clock()
    time = TimeKeeper(clock, BUILT_S)
    clock.ms = 5700
    for _ in range(2):
        time.accept(BUILT_S)
        for _ in range(1000):
            assert time.now_s() == BUILT_S, "asking takes no time"
        clock.ms += 999
        assert time.now_s() == BUILT_S
        clock.ms += 1
        assert time.now_s() == BUILT_S + 1
        clock.ms += 1700
        assert time.now_s() == BUILT_S + 2, "a rest that the next record does not inherit"


def test_a_distance_that_looks_negative_moves_no_time():
    clock = Clock()
    time = TimeKeeper(clock, BUILT_S)
    time.accept(BUILT_S)
    clock.ms += (1 << 29) + 1000
    assert time.now_s() == BUILT_S
    clock.ms += 999
    assert time.now_s() == BUILT_S
    clock.ms += 1
    assert time.now_s() == BUILT_S + 1
